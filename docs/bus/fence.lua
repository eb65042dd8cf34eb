local field = '#' .. ARGV[1]
local mark = redis.call('HGET', KEYS[1], field)
local epoch = mark and tonumber(string.match(mark, '^(%d+):')) or -1
if epoch > tonumber(ARGV[2]) then return {0, mark} end
if epoch < tonumber(ARGV[2]) then
  mark = ARGV[2] .. ':0:' .. ARGV[1]
  redis.call('HSET', KEYS[1], field, mark)
end
return {1, mark}
