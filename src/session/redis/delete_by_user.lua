-- ARGV: the user, and how many records at most. Answers with how many are left.
local sessions = sessions_of(ARGV[1])
mend(sessions, 'zset')
for _, session in ipairs(redis.call('ZRANGE', sessions, 0, ARGV[2] - 1)) do
  redis.call('DEL', record_of(session))
  redis.call('ZREM', sessions, session)
end
return redis.call('ZCARD', sessions)
