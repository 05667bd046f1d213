-- KEYS: the record. ARGV: its key in digits.
mend(KEYS[1], 'hash')
local user = redis.call('HGET', KEYS[1], '=username')
redis.call('DEL', KEYS[1])
if user then
  leave(user, ARGV[1])
end
