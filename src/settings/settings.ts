/**
 * Every setting in one table: its name, flag, environment name, default, range and help. command_line.ts reads the
 * values, and the help pages are written from this table.
 */
import { hostname } from "node:os";
import { boolean, choice, integer, type Kind, list, network, origin, text, url } from "./option.ts";

/** The commands that have settings. */
export type CommandName = "all" | "gateway" | "feed" | "watch" | "play" | "top" | "trace";

/** One setting. */
export interface Setting<T = unknown> {
  /** Without the dashes: `admin-port`. A list's flag may be given several times. */
  readonly flag: string;
  readonly env: string;
  readonly kind: Kind<T>;
  readonly default: T;
  /** What it does, and why it has the limit that it has. */
  readonly help: string;
  readonly commands: readonly CommandName[];
  /** Whether its value holds a secret: one that is wrong is not shown. */
  readonly secret?: boolean;
}

const GATEWAY: readonly CommandName[] = ["all", "gateway"];
const FEED: readonly CommandName[] = ["all", "feed"];
const SERVERS: readonly CommandName[] = ["all", "gateway", "feed"];
const EVERY: readonly CommandName[] = ["all", "gateway", "feed", "watch", "play", "top", "trace"];

function setting<T>(
  commands: readonly CommandName[],
  flag: string,
  kind: Kind<T>,
  fallback: T,
  help: string,
  env = `TICKGATE_${flag.toUpperCase().replaceAll("-", "_")}`,
): Setting<T> {
  return { flag, env, kind, default: fallback, help, commands };
}

/** A setting whose value holds a secret. */
function secret<T>(...parts: Parameters<typeof setting<T>>): Setting<T> {
  return { ...setting(...parts), secret: true };
}

const word = text("NAME", "1 to 64 letters, digits, dots, dashes or underscores", /^[\w.-]{1,64}$/);
const address = text("HOST", "a host name or an IP address", /^[\w.:-]{1,253}$/);
const feed = text("FEED", "ADAPTER:SYMBOLS?option=value", /^[a-z]+:\S*$/);

/** All settings, by the name that the code uses. */
export const SETTINGS = {
  feeds: setting(
    FEED,
    "feed",
    list(feed, /[\s;]+/),
    [] as string[],
    "A feed, ADAPTER:SYMBOLS?option=value; repeat the flag, or separate several with spaces in the environment",
    "TICKGATE_FEEDS",
  ),
  host: setting(SERVERS, "host", address, "127.0.0.1", "The address to listen on; 0.0.0.0 for all"),
  port: setting(GATEWAY, "port", integer(0, 65_535), 8080, "The port for clients; 0 takes a free one"),
  adminHost: setting(
    SERVERS,
    "admin-host",
    address,
    "127.0.0.1",
    "The address that the admin port listens on; 0.0.0.0 for all, where balancers and scrapers come from other machines",
  ),
  adminPort: setting(
    SERVERS,
    "admin-port",
    integer(0, 65_535),
    9090,
    "The port for /status, /healthz, /readyz and /metrics; 0 takes a free one",
  ),
  adminNames: setting(
    SERVERS,
    "admin-name",
    list(text("NAME", "a host name", /^[A-Za-z\d_][\w.-]{0,252}$/), /[\s,]+/),
    [] as string[],
    "A name under which the admin port may be asked, besides numbers and localhost; repeatable. Under any other name only health is told: it may be that of a web page that has its name lead here",
    "TICKGATE_ADMIN_NAMES",
  ),
  node: setting(SERVERS, "node", word, nodeName(), "The name of this node, as clients and /status tell it"),
  origins: setting(
    GATEWAY,
    "origin",
    list(origin(), /[\s,]+/),
    ["*"],
    "An origin whose web pages may connect, * for any, https://*.example.com for all names below example.com and not itself; repeatable. With any but *, HTTP answers only under a number, localhost or a name of this list: a page of another name has had its name lead here",
    "TICKGATE_ORIGINS",
  ),
  watchlist: setting(
    GATEWAY,
    "watchlist",
    boolean(),
    true,
    "Serve the watchlist, a page for browsers, at / of the clients' port; --no-watchlist does not",
  ),
  heartbeat: setting(
    GATEWAY,
    "heartbeat",
    integer(1_000, 60_000, "ms"),
    15_000,
    "A connection with nothing else to say gets a heartbeat this often; one that answers no ping for three of them is closed",
  ),
  interval: setting(
    GATEWAY,
    "interval",
    integer(0, 60_000, "ms"),
    100,
    "The interval of a subscription that names none",
  ),
  minInterval: setting(
    GATEWAY,
    "min-interval",
    integer(0, 60_000, "ms"),
    0,
    "The shortest interval that is granted; a shorter one asked for is lengthened to it",
  ),
  maxConnections: setting(
    GATEWAY,
    "max-connections",
    integer(1, 1_000_000),
    16_384,
    "Connections at once; more are refused with 503. Each takes a file descriptor and up to its window of memory. With an eighth more sockets for HTTP and upgrades it must fit into the limit on open files (ulimit -n), else there are fewer, and a warning at the start",
  ),
  maxConnectionsPerAddress: setting(
    GATEWAY,
    "max-connections-per-address",
    integer(1, 1_000_000),
    10_000,
    "Connections at once from one address (IPv6: one /64), so that one client cannot take all; behind a balancer all come from its address, unless it is named with --trusted-proxy",
  ),
  httpRatePerAddress: setting(
    GATEWAY,
    "http-rate-per-address",
    integer(1, 1_000_000, "a second"),
    500,
    "What HTTP may cost for one address (IPv6: one /64), in requests and in 4 KB of answers, about 0.1 ms of CPU each; more are refused with 429",
  ),
  httpRate: setting(
    GATEWAY,
    "http-rate",
    integer(1, 1_000_000, "a second"),
    2_000,
    "What HTTP may cost in total, as for one address: a fifth of a core, so that streams are not late; more is refused with 503",
  ),
  httpUnreadPerAddress: setting(
    GATEWAY,
    "http-unread-bytes-per-address",
    integer(65_536, 1_073_741_824, "bytes"),
    1_048_576,
    "Memory for answers that the clients of one address (IPv6: one /64) have not read, at 64 KB for each under way; more are refused with 429",
  ),
  httpUnread: setting(
    GATEWAY,
    "http-unread-bytes",
    integer(65_536, 1_073_741_824, "bytes"),
    16_777_216,
    "Memory for answers that clients have not read, in total; more are refused with 503",
  ),
  trustedProxies: setting(
    GATEWAY,
    "trusted-proxy",
    list(network(), /[\s,]+/),
    [] as string[],
    "A balancer, or a network of them, whose X-Forwarded-For is believed: the log, /status and the limit on connections from one address then see the client's own; repeatable",
    "TICKGATE_TRUSTED_PROXIES",
  ),
  statusClients: setting(
    GATEWAY,
    "status-clients",
    integer(0, 1_000),
    20,
    "How many of the slowest clients /status names",
  ),
  maxSymbolsPerConnection: setting(
    GATEWAY,
    "max-symbols-per-connection",
    integer(1, 1_000_000),
    20_000,
    "Symbols that one connection may hold, at 8 bytes each",
  ),
  maxSymbols: setting(
    SERVERS,
    "max-symbols",
    integer(1, 4_000_000),
    100_000,
    "Symbols in the market table, at about 450 bytes each; ticks of more are counted and left out",
  ),
  maxAwaitedSymbols: setting(
    GATEWAY,
    "max-awaited-symbols",
    integer(0, 1_000_000),
    20_000,
    "Rows of the market table that may be held for symbols that have had no tick, which any client can name; a connection gets an eighth where half are taken",
  ),
  maxFieldLists: setting(
    GATEWAY,
    "max-field-lists",
    integer(0, 1_000),
    0,
    "Different field lists whose encoded ticks are shared, at up to 384 bytes a symbol each; ticks of more are encoded for each client. 0 for 32, or as many as a quarter of the memory holds",
  ),
  broadcastSymbols: setting(
    GATEWAY,
    "broadcast-symbols",
    integer(0, 10_000),
    200,
    "The most symbols that a connection may have at interval 0 for its ticks to be broadcast: three quarters of the CPU of turns, for some 70 bytes a symbol; 0 for never",
  ),
  maxMessageBytes: setting(
    GATEWAY,
    "max-message-bytes",
    integer(256, 1_048_576, "bytes"),
    32_768,
    "The largest message that a client may send; a larger one closes its connection",
  ),
  commandsPerSecond: setting(
    GATEWAY,
    "commands-per-second",
    integer(1, 100_000),
    100,
    "Commands that one connection may send a second; more get an error, and many more close it",
  ),
  commandSymbolsPerSecond: setting(
    GATEWAY,
    "command-symbols-per-second",
    integer(100, 10_000_000),
    5_000,
    "Symbols that the commands of one connection may name, match or end a second; more wait. Twice --max-symbols-per-connection may come at once, so that a client that reconnects has all of its symbols without waiting",
  ),
  maxPendingCommandBytes: setting(
    GATEWAY,
    "max-pending-command-bytes",
    integer(65_536, 1_073_741_824, "bytes"),
    16_777_216,
    "Messages of clients that wait to be carried out, in all, at up to twelve times their size; more get an error",
  ),
  maxUnreadBytes: setting(
    GATEWAY,
    "max-unread-bytes",
    integer(65_536, 1_073_741_824, "bytes"),
    4_194_304,
    "Bytes that a connection may have on its way, answers to its commands included; more close it",
  ),
  windowMin: setting(
    GATEWAY,
    "window-min",
    integer(1_024, 1_048_576, "bytes"),
    4_096,
    "The arrival window of the slowest reader: less keeps its prices younger and costs more frames",
  ),
  windowMax: setting(
    GATEWAY,
    "window-max",
    integer(65_536, 67_108_864, "bytes"),
    2_097_152,
    "The arrival window of the fastest reader far away: bandwidth times round trip, and no more",
  ),
  windowDelay: setting(
    GATEWAY,
    "window-delay",
    integer(10, 5_000, "ms"),
    250,
    "How long bytes on their way to a slow reader may queue: its prices are about this much older",
  ),
  sliceTime: setting(
    GATEWAY,
    "slice-time",
    integer(1, 100, "ms"),
    4,
    "How long a flush pass may hold the event loop before sockets and the bus are served again",
  ),
  drainDelay: setting(
    GATEWAY,
    "drain-delay",
    integer(0, 300_000, "ms"),
    500,
    "On SIGTERM, how long to be unready before connections are closed: the balancer's health check must see it",
  ),
  drainSpread: setting(
    GATEWAY,
    "drain-spread",
    integer(0, 300_000, "ms"),
    500,
    "On SIGTERM, clients are told to come back after 0 to so many ms, each another time",
  ),
  redisUrl: secret(
    SERVERS,
    "redis-url",
    text("URL", "an address without spaces", /^\S*$/),
    "",
    "Redis as the bus between feeds and gateways: redis://HOST:PORT, redis+sentinel://HOST:PORT,HOST:PORT/MASTER or redis+cluster://HOST:PORT,HOST:PORT, rediss for TLS; empty for one process without Redis",
  ),
  redisUsername: setting(
    SERVERS,
    "redis-username",
    text("NAME", "a name without spaces", /^\S*$/),
    "",
    "The ACL user at Redis, instead of the one in the address",
  ),
  redisPassword: secret(
    SERVERS,
    "redis-password",
    text("PASSWORD", "a text", /^/),
    "",
    "The password at Redis, instead of the one in the address; give it in the environment, where others do not see it",
  ),
  redisCa: setting(
    SERVERS,
    "redis-ca",
    text("FILE", "a file name", /^/),
    "",
    "The certificates (PEM) that Redis's own must be signed by; empty for those that Node trusts",
  ),
  redisPrefix: setting(
    SERVERS,
    "redis-prefix",
    word,
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
  metrics: setting(
    SERVERS,
    "metrics",
    boolean(),
    true,
    "Measure latencies and serve /metrics; --no-metrics does neither",
  ),
  clockSkewWarning: setting(
    GATEWAY,
    "clock-skew-warning",
    integer(1, 3_600_000, "ms"),
    50,
    "A feed whose clock differs from this process's by more is named in the log; latencies are corrected by it, whatever it is",
  ),
  workers: setting(
    ["gateway"],
    "workers",
    integer(1, 256),
    1,
    "Processes that share the port, one a core; the admin port shows them all, and one that crashes is started again",
  ),
  url: setting(
    ["watch", "trace"],
    "url",
    url(["ws", "wss"]),
    "ws://127.0.0.1:8080/v1/stream",
    "The gateway, as clients reach it",
  ),
  watchInterval: setting(
    ["watch"],
    "interval",
    integer(0, 60_000, "ms"),
    250,
    "At most one tick per symbol in so many ms",
    "TICKGATE_WATCH_INTERVAL",
  ),
  watchSort: setting(
    ["watch"],
    "sort",
    choice("symbol", "activity"),
    "symbol",
    "In what order the table on a terminal is; the key s changes it",
    "TICKGATE_WATCH_SORT",
  ),
  json: setting(
    ["watch", "trace"],
    "json",
    boolean(),
    false,
    "One line of JSON a tick, for a pipe",
    "TICKGATE_WATCH_JSON",
  ),
  topOnce: setting(["top"], "once", boolean(), false, "Show everything once, and end", "TICKGATE_TOP_ONCE"),
  topSort: setting(
    ["top"],
    "sort",
    choice("behind", "trip", "sent", "symbols", "connected"),
    "behind",
    "By what clients are sorted, the largest first: how far they are behind, their round trip, what is on its way to them, their symbols, how long they have been connected; the key s changes it",
    "TICKGATE_TOP_SORT",
  ),
  traceAdmin: setting(
    ["trace"],
    "admin",
    url(["http", "https"]),
    "http://127.0.0.1:9090",
    "The admin port of the gateway that --url leads to: it tells what it does with each tick",
    "TICKGATE_TRACE_ADMIN",
  ),
  traceInterval: setting(
    ["trace"],
    "interval",
    integer(0, 60_000, "ms"),
    0,
    "The interval of the trace's own subscription: what a client that asks for it waits for",
    "TICKGATE_TRACE_INTERVAL",
  ),
  traceCount: setting(
    ["trace"],
    "count",
    integer(1, 1_000_000),
    10,
    "How many ticks are traced",
    "TICKGATE_TRACE_COUNT",
  ),
  playPort: setting(
    ["play"],
    "port",
    integer(0, 65_535),
    0,
    "The port to play on; 0 takes a free one",
    "TICKGATE_PLAY_PORT",
  ),
  speed: setting(
    ["play"],
    "speed",
    integer(0, 10_000),
    1,
    "How many times as fast as it was captured; 0 for as fast as it can be sent",
    "TICKGATE_PLAY_SPEED",
  ),
  logLevel: setting(
    EVERY,
    "log-level",
    choice("trace", "debug", "info", "warn", "error", "fatal", "silent"),
    "info",
    "What is logged, to standard error",
  ),
  logFormat: setting(
    EVERY,
    "log-format",
    choice("auto", "pretty", "json"),
    "auto",
    "How it is logged; auto is pretty on a terminal",
  ),
} as const satisfies Record<string, Setting>;

type SettingTable = typeof SETTINGS;
/** The values of all settings. */
export type Settings = { readonly [K in keyof SettingTable]: SettingTable[K] extends Setting<infer T> ? T : never };

function nodeName(): string {
  return `${
    hostname()
      .replace(/[^\w.-]/g, "-")
      .slice(0, 48) || "node"
  }-${process.pid}`;
}

/** The settings that a command has, as pairs of name and setting. */
export function settingsOf(command: CommandName): [keyof Settings, Setting][] {
  return (Object.entries(SETTINGS) as [keyof Settings, Setting][]).filter(([, s]) => s.commands.includes(command));
}
