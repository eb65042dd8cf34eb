/** The checked promises (docs/protocol.md), by the name under which violations are counted. */
export const PROMISES = {
  hello: "hello is the first message",
  readable: "every message is a data frame or a control message, of at most 64 KiB",
  granted: "every symbol is granted, at the interval and with the fields that were requested",
  snapshot: "every symbol has its snapshot, after it was granted",
  whole: "a tick holds all granted fields",
  once: "a frame holds a handle at most once",
  interval: "two ticks of a handle are an interval apart",
  seq: "seq never stays or goes back without a gap or a reset",
  trades: "every trade comes once and in order, or a gap says how many are missed",
  book: "a book has at most 10 levels, the best first, and is not crossed",
  bars: "past bars come first, a bar is whole, and a closed one comes once, after those before it",
  delay: "with --delay, every grant says that it is late, and no value is younger",
  error: "a command of the protocol gets no error",
  open: "a connection is not closed by the gateway",
} as const;
export type Promised = keyof typeof PROMISES;
