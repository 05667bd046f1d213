-- ARGV: 'all' or 'user', and which; the cursor of a scan; the key up to which all were told; how many records
-- at most; how many fields to tell, and these, the first of which every record has; then the first digits of
-- those keys that were told before at this cursor. Answers with a cursor, a key and digits like these for the
-- next step, and the records: each its key in digits, the milliseconds that it lives, and its fields.
local user, cursor, floor, limit, fields =
  ARGV[1] == 'user' and ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local FIELDS, DIGITS = 7, 16

local told, noted = {}, {}
for at = FIELDS + fields, #ARGV do
  noted[#noted + 1] = ARGV[at]
  told[ARGV[at]] = true
end

local function untold(count)
  local next, all = scan(user, cursor, count)
  local sessions = {}
  for _, session in ipairs(all) do
    if is_key(session) and session > floor and not told[string.sub(session, 1, DIGITS)] then
      sessions[#sessions + 1] = session
    end
  end
  return next, sessions
end

if user then
  mend(sessions_of(user), 'zset')
end
-- A step finds as many as it likes: smaller ones are taken until what they find can be told.
local count = math.max(limit, 100)
local next, sessions = untold(count)
local is_all = cursor == '0' and next == '0'
while #sessions > limit and not is_all and count > 1 do
  count = math.max(1, math.min(limit, math.floor(count * 3 / 4)))
  next, sessions = untold(count)
end
if #sessions <= limit then
  noted = {}
else
  -- The rest comes next, from the same cursor. What was told of all there are is known by its last key;
  -- of the smallest step, by the keys: where the server resizes its table, another step finds other ones.
  next = cursor
  table.sort(sessions)
  if is_all then
    floor = sessions[limit]
  else
    for at = 1, limit do
      noted[#noted + 1] = string.sub(sessions[at], 1, DIGITS)
    end
  end
end

local found = {}
for at = 1, math.min(#sessions, limit) do
  local record = record_of(sessions[at])
  local values = redis.pcall('HMGET', record, unpack(ARGV, FIELDS, FIELDS + fields - 1))
  -- A damaged record is left to the visitor who comes with it.
  if values.err and not string.find(values.err, 'WRONGTYPE', 1, true) then
    return values
  end
  if values[1] then
    found[#found + 1] = sessions[at]
    found[#found + 1] = redis.call('PTTL', record)
    found[#found + 1] = values
  end
end
return {next, floor, noted, #sessions > limit and 1 or 0, found}
