-- The sessions of a user: a sorted set of their keys in hexadecimal digits, by expiry in unix
-- milliseconds.
local function sessions_of(user)
  return 'waxseal:user:' .. user
end

-- The most sessions of one user; whoever signs in more often loses those nearest their end. It bounds
-- what one script does.
local MOST = 10000

local function milliseconds()
  local time = redis.call('TIME')
  return string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
end

-- Leaves in the set what lives; it goes with its last member.
local function tidy(sessions)
  redis.call('ZREMRANGEBYSCORE', sessions, '-inf', '(' .. milliseconds())
  local last = redis.call('ZREVRANGE', sessions, 0, 0, 'WITHSCORES')[2]
  if last then
    redis.call('PEXPIREAT', sessions, string.format('%.0f', last))
  end
end

local function leave(user, session)
  redis.call('ZREM', sessions_of(user), session)
  tidy(sessions_of(user))
end

local function join(user, session, expires)
  local sessions = sessions_of(user)
  redis.call('ZADD', sessions, expires, session)
  tidy(sessions)
  while redis.call('ZCARD', sessions) > MOST do
    redis.call('DEL', 'waxseal:session:' .. redis.call('ZPOPMIN', sessions)[1])
  end
end

