/** Settings of Redis and of the bus between feeds and gateways. */
import { integer, text } from "./option.ts";
import { GATEWAY, REDIS, SERVERS, secret, setting, WORD } from "./setting.ts";

export const BUS_SETTINGS = {
  redisUrl: secret(
    REDIS,
    "redis-url",
    text("URL", "an address without spaces", /^\S*$/),
    "",
    "Redis as the bus between feeds and gateways: redis://HOST:PORT, redis+sentinel://HOST:PORT,HOST:PORT/MASTER or redis+cluster://HOST:PORT,HOST:PORT, rediss for TLS; empty for one process without Redis",
  ),
  redisUsername: setting(
    REDIS,
    "redis-username",
    text("NAME", "a name without spaces", /^\S*$/),
    "",
    "The ACL user at Redis, instead of the one in the address",
  ),
  redisPassword: secret(
    REDIS,
    "redis-password",
    text("PASSWORD", "a text", /^/),
    "",
    "The password at Redis, instead of the one in the address; give it in the environment, where others do not see it",
  ),
  redisCa: setting(
    REDIS,
    "redis-ca",
    text("FILE", "a file name", /^/),
    "",
    "The certificates (PEM) that Redis's own must be signed by; empty for those that Node trusts",
  ),
  redisPrefix: setting(
    REDIS,
    "redis-prefix",
    WORD,
    "tickgate",
    "What the names of all keys and channels begin with, so that several systems can share one Redis",
  ),
  busShards: setting(
    SERVERS,
    "bus-shards",
    integer(1, 1_024),
    2,
    "The parts that the bus is cut into; the same for every feed and gateway. Fewer make larger batches, which cost less; more let a gateway listen to less; in a Cluster as many as there are masters, or more",
  ),
  busSilence: setting(
    SERVERS,
    "bus-silence",
    integer(1_000, 60_000, "ms"),
    2_000,
    "A part of the bus on which nothing has come for so long is silent, and its symbols stale; a feed's heartbeat comes every 500 ms",
  ),
  busLinger: setting(
    GATEWAY,
    "bus-linger",
    integer(0, 3_600_000, "ms"),
    30_000,
    "A part of the bus that no client wants any more is listened to for so long: who comes back then has prices at once",
  ),
} as const;
