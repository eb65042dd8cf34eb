local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
local epoch = tonumber(redis.call('GET', KEYS[2]) or 0)
if epoch > tonumber(ARGV[3]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if epoch < tonumber(ARGV[3]) then redis.call('SET', KEYS[2], ARGV[3]) end
return 1
