-- ARGV: the user, how many records at most, and the fields to tell; the first is the one that every
-- record has. Answers with a key in digits and its fields, in turn.
local user, limit = ARGV[1], ARGV[2]
local found = {}
mend(sessions_of(user), 'zset')
local living = redis.call(
  'ZREVRANGEBYSCORE', sessions_of(user), '+inf', '(' .. digits(milliseconds()), 'LIMIT', 0, limit)
for _, session in ipairs(living) do
  local fields = redis.pcall('HMGET', record_of(session), unpack(ARGV, 3))
  -- A damaged record is left to the visitor who comes with it.
  if fields.err and not string.find(fields.err, 'WRONGTYPE', 1, true) then
    return fields
  end
  if fields[1] then
    found[#found + 1] = session
    found[#found + 1] = fields
  end
end
return found
