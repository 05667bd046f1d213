-- Before this stands PREFIX, what all keys begin with. ARGV[1]: a new name for the set.
--
-- The set: a sorted set of revocations, each by its number in the order in which they came.
local SET = PREFIX .. 'waxseal:revocations'
-- What is known of it: its name; how many it should have; the last number; when the last of it is over; how
-- far it was swept, and when.
local ABOUT = PREFIX .. 'waxseal:revocations:about'

local function mend(key, kind)
  local found = redis.call('TYPE', key).ok
  if found ~= kind and found ~= 'none' then
    redis.call('DEL', key)
  end
end

-- A number without an exponent, as commands take it.
local function digits(number)
  return string.format('%.0f', number)
end

local function about(field)
  return tonumber(redis.call('HGET', ABOUT, field) or 0)
end

-- The unix second at which a revocation is over: its last eight bytes.
local function over(revocation)
  return (struct.unpack('>I8', revocation, #revocation - 7))
end

-- The name of the set: another one where a part of it was lost.
local function name()
  local name = redis.call('HGET', ABOUT, 'name')
  local count = redis.call('ZCARD', SET)
  if not name or about('count') ~= count then
    local last = tonumber(redis.call('ZREVRANGE', SET, 0, 0, 'WITHSCORES')[2] or 0)
    name = ARGV[1]
    redis.call('HSET', ABOUT, 'name', name, 'count', count,
      'last', digits(math.max(last, about('last'))))
  end
  return name
end

local function remove(revocation)
  if redis.call('ZREM', SET, revocation) == 1 then
    redis.call('HINCRBY', ABOUT, 'count', -1)
  end
end

-- Both keys go when the last revocation is over.
local function keep_until(time)
  if time > about('ends') then
    redis.call('HSET', ABOUT, 'ends', digits(time))
    redis.call('EXPIREAT', ABOUT, digits(time + 1))
  end
  redis.call('EXPIREAT', SET, digits(about('ends') + 1))
end

mend(SET, 'zset')
mend(ABOUT, 'hash')
