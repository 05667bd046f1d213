-- ARGV: the cursor of a scan, and how many keys it looks at. Answers with the next cursor, and how many
-- records it found.
local found = redis.call('SCAN', ARGV[1], 'MATCH', record_of('*'), 'COUNT', ARGV[2])
local length, records = #record_of('') + 64, 0
for _, record in ipairs(found[2]) do
  if #record == length then
    records = records + 1
  end
end
return {found[1], records}
