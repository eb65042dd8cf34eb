/** Limits on what clients and feeds may make a process hold or do. */
import { integer } from "./option.ts";
import { GATEWAY, SERVERS, setting } from "./setting.ts";

export const LIMIT_SETTINGS = {
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
  maxDelayedRows: setting(
    GATEWAY,
    "max-delayed-rows",
    integer(0, 4_000_000),
    20_000,
    "Rows of the market table that show symbols late, one for each symbol and delay; more are refused",
  ),
  maxDelayBytes: setting(
    GATEWAY,
    "max-delay-bytes",
    integer(0, 68_719_476_736, "bytes"),
    268_435_456,
    "Memory for what such rows are to show: 122 bytes for each symbol and sample; at a delay of 15 minutes 110 KB a symbol. More symbols are refused",
  ),
  delaySampleInterval: setting(
    GATEWAY,
    "delay-sample-interval",
    integer(100, 60_000, "ms"),
    1_000,
    "At most one value of a symbol in so long is kept to be shown late; a shorter time takes more memory",
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
} as const;
