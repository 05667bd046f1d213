-- KEYS: the record. ARGV: its key in digits, how many milliseconds it lives, 'new' or 'update'; then for
-- each change 'set' or 'remove', a field and its value. 0 where an update finds no record.
local record, session, lifetime, kind = KEYS[1], ARGV[1], ARGV[2], ARGV[3]

mend(record, 'hash')
local before = redis.call('HGET', record, '=username')
if kind == 'new' then
  -- A DEL that need not be: after it, Redis would not refuse what is written for want of memory.
  if redis.call('EXISTS', record) == 1 then
    redis.call('DEL', record)
  end
  redis.call('HSET', record, '.', '')
elseif redis.call('EXISTS', record) == 0 then
  return 0
end
-- First what takes memory, for the same reason.
for at = 4, #ARGV, 3 do
  if ARGV[at] == 'set' then
    redis.call('HSET', record, ARGV[at + 1], ARGV[at + 2])
  end
end
for at = 4, #ARGV, 3 do
  if ARGV[at] == 'remove' then
    redis.call('HDEL', record, ARGV[at + 1])
  end
end
-- A lifetime of nothing deletes the record.
redis.call('PEXPIRE', record, lifetime)

-- The name counts beside the mark of a credential alone.
local after = redis.call('HGET', record, '=_auth') and redis.call('HGET', record, '=username')
if before and before ~= after then
  leave(before, session)
end
if after then
  join(after, session, digits(milliseconds() + lifetime))
end
return 1
