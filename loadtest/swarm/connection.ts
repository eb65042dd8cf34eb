/** One connection of the swarm: handshake, reading at its class's rate, pings, and counting ticks. */
import { connect, isIP, type Socket } from "node:net";
import { connect as connectSecurely } from "node:tls";
import { createTarget, type Target } from "../../src/msgpack/msgpack.ts";
import { clientFrame, type FrameListener, FrameReader, MAX_FRAME } from "../frame_reader.ts";
import { tokenOf } from "../tokens.ts";
import { type Plan, type Reader, subjectOf } from "./plan.ts";
import type { Decoder, Protocol, StreamChannel, StreamState, Upgrade, Wire } from "./protocol.ts";
import type { Selection } from "./selection.ts";
import type { ClassTally, Tally } from "./tally.ts";

const CONTINUATION = 0;
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

const HEAD_END = Buffer.from("\r\n\r\n");
const MAX_HEAD = 4_096;
/** All connections use the example key of RFC 6455, 1.3, whose answer is known. */
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/** A slow connection reads at least this many bytes at a time. */
const SLOW_READ = 512;
/** Connections per local address, a gateway's default limit, and the port of the first one. */
const PER_ADDRESS = 10_000;
const FIRST_PORT = 20_000;
/** Ticks that are early by at most this are not counted, microseconds: processes read the clock at different times. */
const EARLY = 1_000;
/** A slot's `seq` before its first tick, and after `resetSeq`. */
const NONE = 0;
const RESET = -1;

/** The read buffer of all connections except slow ones: each read is decoded before the next one. */
const sharedBuffer = createTarget(65_536);

/** Shared by the connections of a process. */
export interface ConnectionContext {
  readonly plan: Plan;
  readonly protocol: Protocol;
  readonly tally: Tally;
  /** The last `seq` of every slot of every connection. */
  readonly seqs: Float64Array;
  /** The longest delay of the process's event loop, microseconds. */
  ownDelay: number;
  /** The server's clock: microseconds since the Unix epoch. */
  micros(): number;
  /** Called when the connection is open, or has failed to open. */
  openingEnded(connection: Connection): void;
  /** Called when every slot has had a tick. */
  snapshotsComplete(): void;
  ended(connection: Connection): void;
}

export class Connection implements Wire, FrameListener {
  readonly localIndex: number;
  readonly reader: Reader;
  readonly selection: Selection;
  now = 0;
  isOpen = false;
  /** Slots without a tick so far. */
  missing: number;
  readonly #context: ConnectionContext;
  readonly #index: number;
  readonly #counts: ClassTally;
  readonly #base: number;
  readonly #socket: Socket;
  readonly #buffer: Target;
  readonly #frames = new FrameReader(this);
  readonly #decoder: Decoder;
  readonly #startedAt: number;
  #head: Buffer | undefined = Buffer.alloc(0);
  /** The fragments of an incomplete message. */
  #fragments: Buffer[] | undefined;
  #fragmentsAreText = false;
  /** Bytes that a slow connection may read now. */
  #readBudget = 0;
  #isStalled = false;
  #closeCode = 0;
  #refusal = "";
  #isClosing = false;

  /**
   * @param local index among the connections of this process
   * @param index among all connections of the swarm
   */
  constructor(around: ConnectionContext, local: number, index: number, reader: Reader, selection: Selection) {
    this.#context = around;
    this.localIndex = local;
    this.#index = index;
    this.reader = reader;
    this.selection = selection;
    this.missing = selection.count;
    this.#base = local * selection.count;
    this.#counts = around.tally.classes[reader];
    this.#counts.connections++;
    this.#buffer = reader === "slow" ? createTarget(SLOW_READ) : sharedBuffer;
    this.#decoder = around.protocol.decoder(this);
    this.#startedAt = around.micros();
    const { host, port, secure } = around.plan;
    const onread = { buffer: this.#buffer.bytes, callback: (length: number) => this.#read(length) };
    const common = { host, port, onread, ...localAddressOf(host, local) };
    this.#socket = secure
      ? connectSecurely({ ...common, ...(isIP(host) ? {} : { servername: host }) })
      : connect({ ...common, noDelay: true });
    this.#socket.on("error", (error: NodeJS.ErrnoException) => {
      this.#refusal ||= error.code ?? error.message;
    });
    this.#socket.once("close", () => this.#end());
    this.#socket.write(request(around.plan, around.protocol.upgrade, index));
  }

  get ownDelay(): number {
    return this.#context.ownDelay;
  }

  /** Lets a slow connection read this many more bytes. */
  grantBytes(bytes: number): void {
    // The budget is limited, so that it reads slowly and not in bursts.
    this.#readBudget = Math.min(this.#readBudget + bytes, 4 * SLOW_READ);
    if (this.#readBudget >= SLOW_READ) this.#socket.resume();
  }

  /** Stops reading until `resume`. */
  stall(): void {
    this.#isStalled = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#isStalled = false;
    this.#socket.resume();
  }

  /** From now on reads as fast as it can. */
  readFreely(): void {
    this.#readBudget = Number.POSITIVE_INFINITY;
    this.resume();
  }

  resubscribe(): void {
    this.#decoder.resubscribe?.();
  }

  keepValues(): void {
    this.#decoder.keepValues?.();
  }

  valuesOf(slot: number): readonly (number | null)[] | undefined {
    return this.#decoder.valuesOf?.(slot);
  }

  streamsOf(channel: StreamChannel): Iterable<StreamState> {
    return this.#decoder.streamsOf?.(channel) ?? [];
  }

  close(): void {
    this.#isClosing = true;
    if (this.isOpen) this.#socket.end(clientFrame(CLOSE, Buffer.from([0x03, 0xe8])));
    else this.#socket.destroy();
    // Without reading, it would not see the close.
    this.resume();
  }

  /** Ends the connection without a closing handshake. */
  destroy(): void {
    this.#isClosing = true;
    this.#socket.destroy();
  }

  send(payload: Uint8Array, isText = false): void {
    if (!this.#isClosing) this.#socket.write(clientFrame(isText ? TEXT : BINARY, payload));
  }

  tick(slot: number, seq: number, eventTime: number): void {
    const { seqs, tally, plan } = this.#context;
    const at = this.#base + slot;
    const before = seqs[at];
    const counts = this.#counts;
    if (tally.isCounting) counts.ticks++;
    if (seq <= before) {
      if (tally.isCounting) counts.repeated++;
      return;
    }
    seqs[at] = seq;
    if (before <= NONE) {
      if (before === NONE && --this.missing === 0) this.#complete();
      return;
    }
    if (!tally.isCounting) return;
    counts.conflated += seq - before - 1;
    const age = this.now - eventTime;
    if (Number.isNaN(age)) return;
    if (age <= plan.freshBound * 1_000) counts.fresh++;
    else counts.late++;
    if (age < -EARLY) counts.early++;
    counts.ages.observe(age);
  }

  streamTick(channel: StreamChannel, eventTime: number): void {
    if (!this.#context.tally.isCounting) return;
    if (channel === "trade") this.#counts.trades++;
    else if (channel === "book") this.#counts.books++;
    else this.#counts.bars++;
    const age = this.now - eventTime;
    if (!Number.isNaN(age)) this.#counts.ages.observe(age);
  }

  addMissed(trades: number): void {
    if (this.#context.tally.isCounting) this.#counts.missed += trades;
  }

  resetSeq(slot: number): void {
    const { seqs } = this.#context;
    if (seqs[this.#base + slot] !== NONE) seqs[this.#base + slot] = RESET;
  }

  seqOf(slot: number): number {
    return this.#context.seqs[this.#base + slot];
  }

  reportFault(name: string, detail = ""): void {
    const who = `connection ${this.#index}, ${this.reader}`;
    this.#context.tally.faults.add(name, 1, [detail === "" ? who : `${who}: ${detail}`]);
  }

  countNote(name: string): void {
    this.#context.tally.notes.add(name);
  }

  frame(opcode: number, target: Target, start: number, end: number, isFinal: boolean): void {
    if (this.#context.tally.isCounting) {
      this.#counts.frames++;
      this.#counts.bytes += end - start;
    }
    switch (opcode) {
      case BINARY:
      case TEXT:
        if (isFinal && this.#fragments === undefined) this.#decoder.message(target, start, end, opcode === TEXT);
        else this.#fragment(opcode, target, start, end, isFinal);
        return;
      case CONTINUATION:
        return this.#fragment(opcode, target, start, end, isFinal);
      case PING:
        if (!this.#isClosing) this.#socket.write(clientFrame(PONG, target.bytes.subarray(start, end)));
        return;
      case PONG:
        return;
      case CLOSE:
        this.#closeCode = end - start >= 2 ? target.bytes.readUInt16BE(start) : 1005;
        if (!this.#isClosing)
          this.#socket.end(clientFrame(CLOSE, target.bytes.subarray(start, Math.min(end, start + 2))));
        return;
      default:
        this.reportFault("a frame with an unknown opcode", String(opcode));
    }
  }

  #fragment(opcode: number, target: Target, start: number, end: number, isFinal: boolean): void {
    if ((opcode === CONTINUATION) === (this.#fragments === undefined)) throw new Error("fragments out of order");
    if (opcode !== CONTINUATION) this.#fragmentsAreText = opcode === TEXT;
    this.#fragments ??= [];
    this.#fragments.push(Buffer.from(target.bytes.subarray(start, end)));
    const length = this.#fragments.reduce((total, part) => total + part.length, 0);
    if (length > MAX_FRAME) throw new Error(`a message of more than ${MAX_FRAME} bytes`);
    if (!isFinal) return;
    const whole = targetOf(Buffer.concat(this.#fragments));
    this.#fragments = undefined;
    this.#decoder.message(whole, 0, length, this.#fragmentsAreText);
  }

  /** @returns whether to continue reading */
  #read(length: number): boolean {
    this.now = this.#context.micros();
    try {
      if (this.#head) this.#handshake(this.#head, length);
      else this.#frames.read(this.#buffer, 0, length);
    } catch (error) {
      this.reportFault("unreadable data", (error as Error).message);
      this.#socket.destroy();
      return false;
    }
    if (this.#isStalled) return false;
    if (this.reader !== "slow") return true;
    this.#readBudget -= length;
    return this.#readBudget >= SLOW_READ;
  }

  #handshake(before: Buffer, length: number): void {
    const head = Buffer.concat([before, this.#buffer.bytes.subarray(0, length)]);
    const end = head.indexOf(HEAD_END);
    if (end < 0 && head.length < MAX_HEAD) {
      this.#head = head;
      return;
    }
    this.#refusal = handshakeError(head.toString("latin1", 0, end + 2), this.#context.protocol.upgrade.subprotocol);
    if (this.#refusal !== "") {
      this.#socket.destroy();
      return;
    }
    this.#head = undefined;
    this.isOpen = true;
    this.#context.tally.connectTime.observe(this.now - this.#startedAt);
    this.#decoder.opened();
    this.#context.openingEnded(this);
    const rest = targetOf(head.subarray(end + HEAD_END.length));
    if (rest.bytes.length > 0) this.#frames.read(rest, 0, rest.bytes.length);
  }

  #complete(): void {
    this.#context.tally.snapshotTime.observe(this.now - this.#startedAt);
    this.#context.snapshotsComplete();
  }

  #end(): void {
    const { tally } = this.#context;
    if (!this.isOpen) {
      if (!this.#isClosing) tally.refused.add(this.#refusal || "closed before the upgrade");
      this.#context.openingEnded(this);
    } else if (!this.#isClosing)
      tally.closed.add(
        `${this.reader}, ${this.#closeCode > 0 ? `code ${this.#closeCode}` : this.#refusal || "no code"}`,
      );
    this.isOpen = false;
    this.#context.ended(this);
  }
}

function targetOf(bytes: Buffer): Target {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) };
}

/**
 * The local address and port for connections to 127.0.0.1: each process has its own addresses. Choosing a port itself
 * would take the kernel milliseconds per connection when thousands are in use. For other hosts the kernel chooses. Only
 * Linux has all of 127.0.0.0/8.
 */
function localAddressOf(host: string, local: number): { localAddress?: string; localPort?: number } {
  if (host !== "127.0.0.1" || process.platform !== "linux") return {};
  const [block, offset] = [Math.floor(local / PER_ADDRESS), local % PER_ADDRESS];
  const { pid } = process;
  return { localAddress: `127.${1 + block}.${(pid >> 8) & 0xff}.${pid & 0xff}`, localPort: FIRST_PORT + offset };
}

function request(
  { host, port, secure, tokens }: Plan,
  { path, subprotocol, headers = [] }: Upgrade,
  index: number,
): string {
  return [
    `GET ${path} HTTP/1.1`,
    `Host: ${host}${port === (secure ? 443 : 80) ? "" : `:${port}`}`,
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Key: ${KEY}`,
    "Sec-WebSocket-Version: 13",
    ...(subprotocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${subprotocol}`]),
    ...(tokens === undefined ? [] : [`Authorization: Bearer ${tokenOf(tokens, subjectOf(index))}`]),
    ...headers,
    "\r\n",
  ].join("\r\n");
}

/** Why the answer does not accept the upgrade; empty if it does. */
function handshakeError(head: string, subprotocol: string | undefined): string {
  const [first, ...lines] = head.split("\r\n");
  const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(first) ?? [];
  if (status !== "101") return status === undefined ? "the answer is not HTTP" : `HTTP ${status}`;
  const value = (name: string) =>
    lines
      .find((line) => line.toLowerCase().startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim();
  if (value("sec-websocket-accept") !== ACCEPT) return "a wrong Sec-WebSocket-Accept";
  if (value("sec-websocket-protocol") !== subprotocol) return "another subprotocol";
  return value("sec-websocket-extensions") === undefined ? "" : "an extension that was not requested";
}
