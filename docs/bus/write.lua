local byte, sub = string.byte, string.sub
local batch, lengths, prefix = ARGV[5], ARGV[7], ARGV[8]
local from, least = tonumber(ARGV[6]) + 1, tonumber(ARGV[9] or 16)
local details, dropped = ARGV[10] or '', ARGV[11] or ''
local function refuse(why)
  return redis.error_reply('TICKGATE the batch is not written, see docs/bus.md: ' .. why)
end
local head = byte(batch, 1) or 0
local at = head == 0xdc and 4 or head == 0xdd and 6 or 2
if head < 0x90 or (head > 0x9f and at == 2) then return refuse('it is no MessagePack array') end
local version = byte(batch, at) or 0
if version < 0x80 and version ~= 1 then return refuse('its version is not 1') end
if #lengths > 2000 then return refuse('it has more than 1,000 records') end
local field = '#' .. ARGV[2]
local mark = redis.call('HGET', KEYS[1], field)
local epoch, number = string.match(mark or '', '^(%d+):(%d+):')
epoch, number = tonumber(epoch), tonumber(number)
if epoch and (epoch > tonumber(ARGV[3]) or (epoch == tonumber(ARGV[3]) and number >= tonumber(ARGV[4]))) then
  return {0, mark}
end
local pairs, count = {field, ARGV[3] .. ':' .. ARGV[4] .. ':' .. ARGV[2]}, 2
for i = 1, #lengths, 2 do
  local high, low = byte(lengths, i, i + 1)
  local to = from + high * 256 + low
  local array, elements, more, symbol = byte(batch, from, from + 3)
  if array ~= 0xdc or elements * 256 + more < least or to > #batch + 1 then
    return refuse('record ' .. (i + 1) / 2 .. ' is not dc and ' .. least .. ' elements at least, or its length is wrong')
  end
  if symbol == 0xd9 then
    pairs[count + 1] = sub(batch, from + 5, from + 4 + byte(batch, from + 4))
  else
    pairs[count + 1] = sub(batch, from + 4, from + 3 + symbol - 0xa0)
  end
  if details ~= '' then pairs[count + 1] = pairs[count + 1] .. ' ' .. sub(details, i * 5 - 4, i * 5 + 5) end
  pairs[count + 2] = prefix .. sub(batch, from, to - 1)
  count = count + 2
  from = to
end
for name in string.gmatch(dropped, '[^,]+') do redis.call('HDEL', KEYS[1], name) end
redis.call('HSET', KEYS[1], unpack(pairs, 1, count))
redis.call(ARGV[1], KEYS[2], batch)
return {1, mark or ''}
