/** One connection of the load: shakes hands, subscribes, answers pings, counts. */
import { connect, type Socket } from "node:net";
import { pack, unpack } from "msgpackr";
import { SystemClock } from "../src/clock.ts";
import { createTarget, type Target } from "../src/protocol/msgpack.ts";
import { clientFrame, FrameReader } from "./frame_reader.ts";
import type { LoadTally } from "./load_tally.ts";
import { countTicks, isControl } from "./tick_counter.ts";

/** What the load connects to, and how. */
export interface LoadTarget {
  readonly port: number;
  readonly connections: number;
  /** Symbols in the market, `SIM:S0000` and so on. */
  readonly symbols: number;
  readonly perConnection: number;
  readonly interval: number;
  /** The first so many connections read slowly. */
  readonly slow: number;
  /** Bytes a second that each of those reads. */
  readonly slowRate: number;
}

const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

const UPGRADE =
  "GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Protocol: tickgate.v1.msgpack\r\n\r\n";
const HEAD_END = Buffer.from("\r\n\r\n");
const MAX_HEAD = 4_096;
/** Symbols in one subscribe: fits into the gateway's largest message. */
const SYMBOLS_PER_MESSAGE = 1_000;
/** Fewer bytes than this are not worth a read by a slow connection. */
const SLOW_READ = 512;

const clock = new SystemClock();
/** Every connection that is not slow reads into this: what was read is gone through before the next one reads. */
const shared = createTarget(65_536);

export class LoadConnection {
  readonly slow: boolean;
  /** When the gateway has let it in. */
  readonly opened: Promise<void>;
  readonly #target: LoadTarget;
  readonly #index: number;
  readonly #tally: LoadTally;
  readonly #socket: Socket;
  readonly #buffer: Target;
  readonly #reader = new FrameReader(this);
  #head: Buffer | undefined = Buffer.alloc(0);
  /** Bytes that a slow connection may read. */
  #allowed = 0;
  #now = 0;
  #setOpen: () => void = () => {};

  constructor(target: LoadTarget, index: number, tally: LoadTally) {
    this.#target = target;
    this.#index = index;
    this.#tally = tally;
    this.slow = index < target.slow;
    this.#buffer = this.slow ? createTarget(SLOW_READ) : shared;
    this.#socket = connect({
      port: target.port,
      host: "127.0.0.1",
      noDelay: true,
      onread: { buffer: this.#buffer.bytes, callback: (length) => this.#read(length) },
    });
    this.opened = new Promise((resolve, reject) => {
      this.#setOpen = resolve;
      this.#socket.once("error", reject);
      this.#socket.once("close", () => {
        tally.closed++;
        reject(new Error("the connection was closed before it was open"));
      });
    });
    this.#socket.write(UPGRADE);
  }

  /** Slow: so many more bytes may be read. */
  allow(bytes: number): void {
    // What is not used now is not saved up: it reads slowly, not in bursts.
    this.#allowed = Math.min(this.#allowed + bytes, 4 * SLOW_READ);
    if (this.#allowed >= SLOW_READ) this.#socket.resume();
  }

  frame(opcode: number, target: Target, start: number, end: number): void {
    if (opcode === PING) this.#socket.write(clientFrame(PONG, target.bytes.subarray(start, end)));
    else if (opcode === CLOSE) this.#socket.end();
    else if (opcode !== BINARY && opcode !== TEXT) this.#tally.malformed++;
    else if (isControl(target.bytes[start])) this.#control(target.bytes.subarray(start, end));
    else if (this.#tally.counting) this.#data(target, start, end);
  }

  #data(target: Target, start: number, end: number): void {
    const tally = this.#tally;
    const ticks = countTicks(target, start, end, this.#now, this.slow ? tally.slowAges : tally.ages);
    if (ticks < 0) {
      tally.malformed++;
      return;
    }
    tally.frames++;
    tally.ticks += ticks;
    tally.bytes += end - start;
    if (!this.slow) tally.sample(target.bytes, start, end);
  }

  /** @returns whether to read on at once */
  #read(length: number): boolean {
    this.#now = clock.micros();
    if (this.#head) this.#shakeHands(length);
    else this.#reader.read(this.#buffer, 0, length);
    if (!this.slow) return true;
    this.#allowed -= length;
    return this.#allowed >= SLOW_READ;
  }

  #shakeHands(length: number): void {
    const head = Buffer.concat([this.#head as Buffer, this.#buffer.bytes.subarray(0, length)]);
    const end = head.indexOf(HEAD_END);
    if (end < 0 && head.length < MAX_HEAD) {
      this.#head = head;
      return;
    }
    if (!head.toString("latin1", 0, 12).startsWith("HTTP/1.1 101")) {
      this.#socket.destroy(new Error(`the connection was refused: ${head.toString("latin1", 0, 200)}`));
      return;
    }
    this.#head = undefined;
    const rest = createTarget(head.length - end - HEAD_END.length);
    head.copy(rest.bytes, 0, end + HEAD_END.length);
    this.#reader.read(rest, 0, rest.bytes.length);
    this.#subscribe();
    this.#setOpen();
  }

  #subscribe(): void {
    const { symbols, perConnection, interval } = this.#target;
    const digits = Math.max(4, String(symbols - 1).length);
    // Spread over the market, and another part of it for the next connection.
    const step = Math.floor(symbols / perConnection);
    const names = Array.from({ length: perConnection }, (_, i) => {
      const symbol = (this.#index + i * step) % symbols;
      return `SIM:S${String(symbol).padStart(digits, "0")}`;
    });
    for (let first = 0; first < names.length; first += SYMBOLS_PER_MESSAGE) {
      const part = names.slice(first, first + SYMBOLS_PER_MESSAGE);
      this.#socket.write(clientFrame(BINARY, pack({ op: "subscribe", symbols: part, interval })));
    }
  }

  #control(bytes: Uint8Array): void {
    const message = unpack(bytes) as { op: string; rejected?: unknown[] };
    if (message.op === "error") this.#tally.errors++;
    else if (message.op === "quality") this.#tally.quality++;
    else if (message.op === "subscribed") this.#tally.errors += message.rejected?.length ?? 0;
  }
}
