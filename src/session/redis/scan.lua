-- Before this stands index.lua. The keys, in digits, of the sessions that a step of SCAN finds from a cursor
-- on, or of ZSCAN in the set of a user; and the cursor of the next step.
local function scan(user, cursor, count)
  local sessions = {}
  local function add(session)
    if #session == 64 and not string.find(session, '[^0-9a-f]') then
      sessions[#sessions + 1] = session
    end
  end
  if user then
    local found = redis.call('ZSCAN', sessions_of(user), cursor, 'COUNT', count)
    for at = 1, #found[2], 2 do
      add(found[2][at])
    end
    return found[1], sessions
  end
  -- No character of a prefix has a meaning in a pattern.
  local found = redis.call('SCAN', cursor, 'MATCH', record_of('*'), 'COUNT', count)
  for _, record in ipairs(found[2]) do
    add(string.sub(record, #record_of('') + 1))
  end
  return found[1], sessions
end

