-- ARGV: the user.
local sessions = sessions_of(ARGV[1])
for _, session in ipairs(redis.call('ZRANGE', sessions, 0, -1)) do
  redis.call('DEL', 'waxseal:session:' .. session)
end
redis.call('DEL', sessions)
