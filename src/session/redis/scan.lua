-- Before this stands index.lua. The keys, in digits, of the sessions that a step of SCAN finds from a cursor
-- on, or of ZSCAN in the set of a user; and the cursor of the next step.
local function scan(user, cursor, count)
  local sessions = {}
  if user then
    local found = redis.call('ZSCAN', sessions_of(user), cursor, 'COUNT', count)
    for at = 1, #found[2], 2 do
      sessions[#sessions + 1] = found[2][at]
    end
    return found[1], sessions
  end
  -- No character of a prefix has a meaning in a pattern.
  local found = redis.call('SCAN', cursor, 'MATCH', record_of('*'), 'COUNT', count)
  local first = #record_of('') + 1
  for at, record in ipairs(found[2]) do
    sessions[at] = string.sub(record, first)
  end
  return found[1], sessions
end

local function is_key(session)
  return #session == 64 and not string.find(session, '[^0-9a-f]')
end

