-- ARGV: the user, how many records at most, and the fields to tell; the first is the one that every
-- record has. Answers with a key in digits and its fields, in turn.
local user, limit = ARGV[1], ARGV[2]
local found = {}
local living = redis.call(
  'ZREVRANGEBYSCORE', sessions_of(user), '+inf', milliseconds(), 'LIMIT', 0, limit)
for _, session in ipairs(living) do
  local fields = redis.call('HMGET', 'waxseal:session:' .. session, unpack(ARGV, 3))
  if fields[1] then
    found[#found + 1] = session
    found[#found + 1] = fields
  end
end
return found
