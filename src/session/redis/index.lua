-- Before this stand PREFIX, what all keys begin with, and MOST, how many sessions a user may have.
local function record_of(session)
  return PREFIX .. 'waxseal:session:' .. session
end

-- The sessions of a user: a sorted set of their keys in hexadecimal digits, by expiry in unix
-- milliseconds of this server.
local function sessions_of(user)
  return PREFIX .. 'waxseal:user:' .. user
end

-- Deletes what is damaged: a key that holds another kind of value.
local function mend(key, kind)
  local found = redis.call('TYPE', key).ok
  if found ~= kind and found ~= 'none' then
    redis.call('DEL', key)
  end
end

local function milliseconds()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- A number without an exponent, as commands take it.
local function digits(number)
  return string.format('%.0f', number)
end

-- Leaves in the set what lives; it goes with its last member.
local function tidy(sessions)
  redis.call('ZREMRANGEBYSCORE', sessions, '-inf', digits(milliseconds()))
  local last = redis.call('ZREVRANGE', sessions, 0, 0, 'WITHSCORES')[2]
  if last then
    redis.call('PEXPIREAT', sessions, digits(last))
  end
end

local function leave(user, session)
  mend(sessions_of(user), 'zset')
  redis.call('ZREM', sessions_of(user), session)
  tidy(sessions_of(user))
end

-- Ends those beyond MOST that were last seen the longest ago, and never the new one.
local function limit(sessions, new)
  local surplus = redis.call('ZCARD', sessions) - MOST
  if surplus <= 0 then
    return
  end
  local all = redis.call('ZRANGE', sessions, 0, -1)
  local seen, place = {}, {}
  for at, session in ipairs(all) do
    seen[session] = tonumber(redis.pcall('HGET', record_of(session), '=_seen')) or 0
    place[session] = at
  end
  seen[new] = math.huge
  table.sort(all, function(one, other)
    if seen[one] == seen[other] then
      return place[one] < place[other]
    end
    return seen[one] < seen[other]
  end)
  for at = 1, surplus do
    redis.call('DEL', record_of(all[at]))
    redis.call('ZREM', sessions, all[at])
  end
end

local function join(user, session, expires)
  local sessions = sessions_of(user)
  mend(sessions, 'zset')
  redis.call('ZADD', sessions, expires, session)
  tidy(sessions)
  limit(sessions, session)
end

