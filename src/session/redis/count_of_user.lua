-- ARGV: the user. Answers with how many living records there are.
mend(sessions_of(ARGV[1]), 'zset')
return redis.call('ZCOUNT', sessions_of(ARGV[1]), '(' .. digits(milliseconds()), '+inf')
