-- ARGV[2]: a position, or nothing for the beginning. Answers a position, whether there are no more, and
-- revocations; or nothing, where the set is not the one of the position.
local PAGE, SWEPT, PAUSE = 5000, 2000, 10

-- Removes what is over, some at a time.
local function sweep(now)
  if now < about('swept_at') + PAUSE then
    return
  end
  local some = redis.call('ZRANGEBYSCORE', SET, '(' .. digits(about('swept')), '+inf', 'WITHSCORES',
    'LIMIT', 0, SWEPT)
  for at = 1, #some, 2 do
    if over(some[at]) < now then
      remove(some[at])
    end
  end
  local swept = #some == 2 * SWEPT and some[#some] or '0'
  redis.call('HSET', ABOUT, 'swept', swept, 'swept_at', digits(now))
end

-- A server that was restarted may have lost the last of what it was told.
local function run()
  local info = redis.pcall('INFO', 'server')
  return type(info) == 'string' and string.match(info, 'run_id:(%x+)') or '-'
end

local now = tonumber(redis.call('TIME')[1])
local set = name() .. '.' .. run()
local after = 0
if ARGV[2] ~= '' then
  local of, number = string.match(ARGV[2], '^(%S+) (%d+)$')
  if of ~= set or tonumber(number) > about('last') then
    return {}
  end
  after = tonumber(number)
end
if redis.call('ZCARD', SET) > 0 then
  sweep(now)
end
local found = redis.call('ZRANGEBYSCORE', SET, '(' .. digits(after), '+inf', 'WITHSCORES', 'LIMIT', 0,
  PAGE)
local page = { '', #found < 2 * PAGE and '1' or '0' }
for at = 1, #found, 2 do
  if over(found[at]) >= now then
    page[#page + 1] = found[at]
  end
  after = tonumber(found[at + 1])
end
page[1] = set .. ' ' .. digits(after)
return page
