/**
 * Prices from a Tickgate gateway, one line per tick: npm install, and then
 *
 *     node ticker.mjs ws://127.0.0.1:8080/v1/stream SIM:S0000 'SIM:S001*'
 */
import { decode, encode } from "@msgpack/msgpack";
import { WebSocket } from "ws";

const TERMS = { interval: 250, fields: ["bid", "ask", "last"] };
/** Close codes after which reconnecting does not help. */
const FINAL = new Set([1009, 4400, 4401, 4403]);
/** The longest time from the start of an attempt to the gateway's hello, ms. */
const HELLO_TIME = 10_000;
/** The longest wait after the first failure, after many, and the longest accepted retryAfter, ms. */
const [FIRST_WAIT, LONGEST_WAIT, LONGEST_RETRY_AFTER] = [500, 30_000, 300_000];
/** A connection of this length resets the wait, ms. */
const LASTING = 10_000;

const [url, ...symbols] = process.argv.slice(2);
if (symbols.length === 0) stop(2, "usage: node ticker.mjs URL SYMBOL…");
let attempts = 0;
let socket;

function connect() {
  const byHandle = new Map(); // handles are valid only on this connection
  const bySymbol = new Map();
  let hello;
  let bye;
  let greetedAt = 0;
  let failure = "";
  let isSilent = false;
  let watchdog = setTimeout(lost, HELLO_TIME);

  try {
    socket = new WebSocket(url, "tickgate.v1.msgpack");
  } catch {
    stop(2, `${url} is no address of a gateway, such as ws://127.0.0.1:8080/v1/stream`);
  }
  socket.on("message", (data) => {
    if (isSilent) say("heard again");
    isSilent = false;
    const message = decode(data);
    if (!Array.isArray(message)) control(message);
    else for (const [handle, seq, , ...values] of message.slice(1)) tick(byHandle.get(handle), seq, values);
    clearTimeout(watchdog);
    watchdog = setTimeout(silent, 2 * hello.heartbeat);
  });
  socket.on("error", (error) => {
    failure ||= error.message || error.code;
  });
  socket.on("close", (code, reason) => {
    clearTimeout(watchdog);
    // 1006: the connection ended without a close frame.
    if (code !== 1006) failure = `${reason.length > 0 ? reason : "closed"} (${code})`;
    if (FINAL.has(code)) stop(1, `the gateway refuses: ${failure}`);
    if (hello && performance.now() - greetedAt >= LASTING) attempts = 0;
    // The gateway already spreads retryAfter over its clients.
    const wait = bye ? Math.min(bye.retryAfter, LONGEST_RETRY_AFTER) : backoff();
    const what = hello ? "connection lost, all prices are stale" : "no connection";
    say(`${what}: ${failure || "the connection was cut"}; trying again in ${(wait / 1000).toFixed(1)} s`);
    setTimeout(connect, wait);
  });

  /** Nothing has arrived for two heartbeats. After the third, the connection counts as lost. */
  function silent() {
    isSilent = true;
    say(`nothing heard for ${(2 * hello.heartbeat) / 1000} s: all prices are stale`);
    watchdog = setTimeout(lost, hello.heartbeat);
  }

  function lost() {
    failure = "nothing heard from the gateway";
    socket.terminate();
  }

  function tick(quote, seq, values) {
    const note = quote.seq === undefined ? "snapshot" : `conflated=${seq - quote.seq - 1}`;
    quote.seq = seq;
    const shown = quote.fields.map((name, index) => `${name}=${values[index] ?? "-"}`).join(" ");
    say(`${quote.symbol} ${shown} seq=${seq} ${note}`);
  }

  function control(message) {
    switch (message.op) {
      case "hello":
        hello = message;
        greetedAt = performance.now();
        say(`connected to ${message.node}`);
        socket.send(encode({ op: "subscribe", symbols, ...TERMS }));
        break;
      case "subscribed": // the answer, or a part of it, and again when a pattern matches a new symbol
        for (const [symbol, handle] of message.symbols) {
          const quote = { symbol, fields: message.fields, seq: undefined };
          byHandle.set(handle, quote);
          bySymbol.set(symbol, quote);
        }
        for (const no of message.rejected) say(`${no.symbol} is not granted: ${no.message} (${no.code})`);
        break;
      case "status":
        for (const symbol of message.symbols) {
          say(`${symbol} ${message.state}${message.reason ? `: ${message.reason}` : ""}`);
          // Across a gap, seq does not count conflated ticks.
          if (message.state === "gap" && bySymbol.has(symbol)) bySymbol.get(symbol).seq = undefined;
        }
        break;
      case "quality":
        say(`updates are ${message.state}: one in ${message.interval} ms (${message.reason})`);
        break;
      case "error":
        say(`the gateway says ${message.code}: ${message.message}`);
        break;
      case "bye":
        bye = message;
    }
  }
}

function say(line) {
  console.log(printable(line));
}

/** Replaces control and invisible characters, which texts from the gateway may contain. */
function printable(text) {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, "\ufffd");
}

/** The wait before the next attempt, ms: doubles per failure, with jitter so that clients do not reconnect at once. */
function backoff() {
  return Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** Math.min(attempts++, 10)) * (0.5 + 0.5 * Math.random());
}

function stop(code, why) {
  console.error(printable(why));
  process.exit(code);
}

process.once("SIGINT", () => {
  socket.close(1000);
  process.exit(0);
});
process.stdout.on("error", () => process.exit(0)); // the reader of the output has ended
connect();
