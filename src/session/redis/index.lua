-- The sessions of a user: a sorted set of their keys in hexadecimal digits, by expiry in unix
-- milliseconds.
local function sessions_of(user)
  return 'waxseal:user:' .. user
end

-- Leaves in the set what lives; it goes with its last member.
local function tidy(sessions)
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('ZREMRANGEBYSCORE', sessions, '-inf', string.format('(%.0f', now))
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
  redis.call('ZADD', sessions_of(user), expires, session)
  tidy(sessions_of(user))
end

