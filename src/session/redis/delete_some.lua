-- ARGV: the cursor of a scan, and how many keys it looks at. Deletes the records that it finds. Answers with
-- the next cursor, and how many there were.
local next, sessions = scan(nil, ARGV[1], ARGV[2])
local records = 0
for _, session in ipairs(sessions) do
  if is_key(session) then
    local record = record_of(session)
    mend(record, 'hash')
    local user = redis.call('HGET', record, '=username')
    records = records + redis.call('DEL', record)
    if user then
      leave(user, session)
    end
  end
end
return {next, records}
