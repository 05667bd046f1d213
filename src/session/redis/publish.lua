-- ARGV[2] and the rest: revocations. Those that are there already stay as they are.
name()
local ends = 0
for at = 2, #ARGV do
  local revocation = ARGV[at]
  if not redis.call('ZSCORE', SET, revocation) then
    local number = redis.call('HINCRBY', ABOUT, 'last', 1)
    redis.call('ZADD', SET, digits(number), revocation)
    redis.call('HINCRBY', ABOUT, 'count', 1)
  end
  ends = math.max(ends, over(revocation))
end
keep_until(math.min(ends, 253402300799))
return 1
