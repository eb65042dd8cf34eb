/** Settings of the clients' port: who may connect, how many, and what HTTP may cost. */
import { boolean, integer, list, network, origin } from "./option.ts";
import { GATEWAY, setting } from "./setting.ts";

export const CONNECTION_SETTINGS = {
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
} as const;
