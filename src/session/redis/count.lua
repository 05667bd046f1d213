-- ARGV: the cursor of a scan, and how many keys it looks at. Answers with the next cursor, and how many
-- records it found.
local next, sessions = scan(nil, ARGV[1], ARGV[2])
return {next, #sessions}
