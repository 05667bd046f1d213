-- Wrong passwords for names that nobody has, from a new IPv6 /64 every thirty tries.
local number = 0


function request()
  number = number + 1
  local network = math.floor(number / 30)
  local body = 'username=u' .. number .. '&password=x'
  return wrk.format('POST', '/login', {
    ['Content-Type'] = 'application/x-www-form-urlencoded',
    ['X-Forwarded-For'] = string.format('2001:db8:%x:%x::1', math.floor(network / 65536), network % 65536),
  }, body)
end
