/** One connection of the swarm: shakes hands, reads as fast as it may, answers pings, and judges what ticks are worth. */
import { connect, isIP, type Socket } from "node:net";
import { connect as connectSecurely } from "node:tls";
import { createTarget, type Target } from "../../src/msgpack/msgpack.ts";
import { clientFrame, type FrameListener, FrameReader, MAX_FRAME } from "../frame_reader.ts";
import type { Plan, Reader } from "./plan.ts";
import type { Decoder, Protocol, Upgrade, Wire } from "./protocol.ts";
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
/** One key serves all: it only shows that the other side speaks WebSocket. The answer follows from it (RFC 6455, 1.3). */
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/** Fewer bytes than this are not worth a read by a slow connection. */
const SLOW_READ = 512;
/** Connections from one local address, as many as a gateway lets in from one by default; and the first one's port. */
const PER_ADDRESS = 10_000;
const FIRST_PORT = 20_000;
/** The most that ticks may be early by without being counted, microseconds: two clocks of one machine are read apart. */
const EARLY = 1_000;
/** A slot's `seq` before its first tick, and after it was forgotten. */
const NONE = 0;
const RESET = -1;

/** Every connection that is not slow reads into this: what was read is gone through before the next one reads. */
const shared = createTarget(65_536);

/** What the connections of a process share. */
export interface ConnectionContext {
  readonly plan: Plan;
  readonly protocol: Protocol;
  readonly tally: Tally;
  /** The last `seq` of every slot of every connection. */
  readonly seqs: Float64Array;
  /** The longest time that the process was held up, microseconds. */
  ownDelay: number;
  /** Microseconds since the Unix epoch, by the server's clock. */
  micros(): number;
  /** The connection is open, or will never be. */
  openingEnded(connection: Connection): void;
  /** Every slot has had a tick. */
  snapshotsComplete(): void;
  ended(connection: Connection): void;
}

export class Connection implements Wire, FrameListener {
  readonly localIndex: number;
  readonly reader: Reader;
  readonly selection: Selection;
  now = 0;
  isOpen = false;
  /** Slots that have had no tick. */
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
  /** A message whose last part has not come. */
  #fragments: Buffer[] | undefined;
  #fragmentsAreText = false;
  /** Bytes that a slow connection may read. */
  #readBudget = 0;
  #isStalled = false;
  #closeCode = 0;
  #refusal = "";
  #isClosing = false;

  /**
   * @param local its place among the connections of this process
   * @param index its place among all
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
    this.#buffer = reader === "slow" ? createTarget(SLOW_READ) : shared;
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
    this.#socket.write(request(around.plan, around.protocol.upgrade));
  }

  get ownDelay(): number {
    return this.#context.ownDelay;
  }

  /** Slow: so many more bytes may be read. */
  grantBytes(bytes: number): void {
    // What is not used now is not saved up: it reads slowly, not in bursts.
    this.#readBudget = Math.min(this.#readBudget + bytes, 4 * SLOW_READ);
    if (this.#readBudget >= SLOW_READ) this.#socket.resume();
  }

  /** Does not read until told to. */
  stall(): void {
    this.#isStalled = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#isStalled = false;
    this.#socket.resume();
  }

  /** From now on reads as fast as it can, whatever it was. */
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

  close(): void {
    this.#isClosing = true;
    if (this.isOpen) this.#socket.end(clientFrame(CLOSE, Buffer.from([0x03, 0xe8])));
    else this.#socket.destroy();
    // Whoever does not read does not see the end either.
    this.resume();
  }

  /** Gives the connection up. */
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
        this.reportFault("a frame with an opcode that WebSocket does not have", String(opcode));
    }
  }

  #fragment(opcode: number, target: Target, start: number, end: number, isFinal: boolean): void {
    if ((opcode === CONTINUATION) === (this.#fragments === undefined)) throw new Error("parts of messages in disorder");
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

  /** @returns whether to read on at once */
  #read(length: number): boolean {
    this.now = this.#context.micros();
    try {
      if (this.#head) this.#handshake(this.#head, length);
      else this.#frames.read(this.#buffer, 0, length);
    } catch (error) {
      this.reportFault("something that cannot be read", (error as Error).message);
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
      if (!this.#isClosing) tally.refused.add(this.#refusal || "closed before it was open");
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
 * Towards this machine every process has addresses of its own, and its connections have their ports: left to find one, the
 * system takes milliseconds for each when some thousands are taken. Elsewhere it chooses, which it does by the whole
 * pair of addresses, and fast. Only Linux has all of 127.0.0.0/8.
 */
function localAddressOf(host: string, local: number): { localAddress?: string; localPort?: number } {
  if (host !== "127.0.0.1" || process.platform !== "linux") return {};
  const [block, place] = [Math.floor(local / PER_ADDRESS), local % PER_ADDRESS];
  const { pid } = process;
  return { localAddress: `127.${1 + block}.${(pid >> 8) & 0xff}.${pid & 0xff}`, localPort: FIRST_PORT + place };
}

function request({ host, port, secure }: Plan, { path, subprotocol, headers = [] }: Upgrade): string {
  return [
    `GET ${path} HTTP/1.1`,
    `Host: ${host}${port === (secure ? 443 : 80) ? "" : `:${port}`}`,
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Key: ${KEY}`,
    "Sec-WebSocket-Version: 13",
    ...(subprotocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${subprotocol}`]),
    ...headers,
    "\r\n",
  ].join("\r\n");
}

/** Why the answer to an upgrade is none that lets us in; empty where it is one. */
function handshakeError(head: string, subprotocol: string | undefined): string {
  const [first, ...lines] = head.split("\r\n");
  const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(first) ?? [];
  if (status !== "101") return status === undefined ? "an answer that is not HTTP" : `HTTP ${status}`;
  const value = (name: string) =>
    lines
      .find((line) => line.toLowerCase().startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim();
  if (value("sec-websocket-accept") !== ACCEPT) return "an answer to another upgrade";
  if (value("sec-websocket-protocol") !== subprotocol) return "another subprotocol than was offered";
  return value("sec-websocket-extensions") === undefined ? "" : "an extension that was not offered";
}
