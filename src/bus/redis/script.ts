/**
 * The scripts that run inside Redis. Each is one atomic step. docs/bus/ has them as files for publishers in other
 * languages.
 */
import { createHash } from "node:crypto";
import type { RedisArgument, RedisLink } from "./connection/link.ts";

export class RedisScript {
  readonly lua: string;
  readonly #sha: string;

  constructor(lua: string) {
    this.lua = lua.trim();
    this.#sha = createHash("sha1").update(this.lua).digest("hex");
  }

  /** Runs by its hash, and sends the text only to a server that does not know it. */
  async run(
    link: RedisLink,
    keys: readonly string[],
    args: readonly RedisArgument[],
    timeout: number,
  ): Promise<unknown> {
    const rest = [keys.length, ...keys, ...args];
    try {
      return await link.call("evalsha", [this.#sha, ...rest], timeout);
    } catch (error) {
      if (!(error as Error).message.startsWith("NOSCRIPT")) throw error;
      return link.call("eval", [this.lua, ...rest], timeout);
    }
  }
}

/**
 * Writes a batch. KEYS: the shard's hash, its channel. ARGV: 1 `PUBLISH` or `SPUBLISH`, 2 the feed, 3 the epoch, 4 the
 * batch's number, 5 the batch, 6 where its first record begins (from 0), 7 the records' lengths, 8 the prefix, 9 how
 * many elements a record has at least (16 unless given), 10 of bars each record's start (10 digits of seconds, one
 * after the other), which follows the symbol and a space in the name of its field, 11 names of fields to be deleted,
 * with commas. Answers 1 and the mark before, or 0 and the mark that refused it: one of a later epoch (another leads),
 * or of this epoch with the same or a later number (an old try that comes late). What can be seen to be no batch is an
 * error, and changes nothing.
 */
export const WRITE = new RedisScript(`
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
`);

/**
 * A new leader shuts its predecessors out of a shard: what they have written can be read then, and does not change any
 * more. KEYS: the shard's hash. ARGV: 1 the feed, 2 the epoch. Answers 1 and the mark that now holds, or 0 and the mark
 * of a later epoch.
 */
export const FENCE = new RedisScript(`
local field = '#' .. ARGV[1]
local mark = redis.call('HGET', KEYS[1], field)
local epoch = mark and tonumber(string.match(mark, '^(%d+):')) or -1
if epoch > tonumber(ARGV[2]) then return {0, mark} end
if epoch < tonumber(ARGV[2]) then
  mark = ARGV[2] .. ':0:' .. ARGV[1]
  redis.call('HSET', KEYS[1], field, mark)
end
return {1, mark}
`);

/**
 * Takes the lease if nobody has it. KEYS: the lease, the epoch. ARGV: 1 the owner, 2 for how many ms, 3 the least
 * epoch. Answers the new epoch, or 0 when somebody else leads. The epoch is at least the wall clock's, so that it does
 * not go back when Redis has lost it. One that a double does not hold exactly is an error: gateways would not take its
 * batches.
 */
export const ACQUIRE = new RedisScript(`
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
`);

/**
 * Keeps the lease. KEYS and ARGV 1, 2 as for ACQUIRE, 3 the epoch. Answers 1; or 0 when another has it, or had it
 * since. A lease that has run out, or that Redis has lost, is still ours when no later epoch was given.
 */
export const HOLD = new RedisScript(`
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
local epoch = tonumber(redis.call('GET', KEYS[2]) or 0)
if epoch > tonumber(ARGV[3]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if epoch < tonumber(ARGV[3]) then redis.call('SET', KEYS[2], ARGV[3]) end
return 1
`);

/** Gives the lease back. KEYS: the lease. ARGV: 1 the owner. */
export const RELEASE = new RedisScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
`);
