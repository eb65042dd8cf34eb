local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return '0' end
local epoch = math.max((tonumber(redis.call('GET', KEYS[2]) or 0) or 0) + 1, tonumber(ARGV[3]))
if not (epoch <= 9007199254740991) then
  return redis.error_reply('TICKGATE the epochs of the feed are used up: see "Epochs and the lease" in docs/bus.md')
end
local text = string.format('%.0f', epoch)
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], text)
return text
