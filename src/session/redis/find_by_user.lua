-- ARGV: the user, how many records at most, and the fields to tell; the first is the one that every
-- record has. Answers with a key in digits and its fields, in turn.
local user, limit = ARGV[1], tonumber(ARGV[2])
local found = {}
for _, session in ipairs(redis.call('ZREVRANGE', sessions_of(user), 0, -1)) do
  if #found >= 2 * limit then
    break
  end
  local fields = redis.call('HMGET', 'waxseal:session:' .. session, unpack(ARGV, 3))
  if fields[1] then
    found[#found + 1] = session
    found[#found + 1] = fields
  end
end
return found
