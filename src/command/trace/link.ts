/**
 * The two connections of a trace: a subscription at the gateway, as any client has one, and the node's trace at its
 * admin port.
 */
import { WebSocket } from "ws";
import type { Clock } from "../../base/clock.ts";
import { ClockOffset } from "../../base/clock_offset.ts";
import { decodeControl, isFrame, readFrame } from "../../client/connection/codec.ts";
import type { TraceLine } from "../../gateway/latency/tracer.ts";
import { type Control, type Hello, MAX_FRAME_BYTES } from "../../protocol/messages.ts";
import { NO_TOKEN, readText, reasonOf, tokenHeader } from "../top/node.ts";

/** The longest time to connect, and for each answer at the start, ms. */
const TIMEOUT = 5_000;
/** Pings that measure the node's clock before the trace begins. */
const FIRST_PINGS = 8;
/** The longest refusal in bytes, and the longest line of a trace in characters: they have a few hundred. */
const MAX_TEXT_LENGTH = 65_536;
/** The interval of pings after that, ms. */
const PING_INTERVAL = 1_000;

/** Why a trace is not possible, as a message for the user. */
export class TraceError extends Error {
  override name = "TraceError";
}

/** Receives the events of a subscription. */
export interface ArrivalListener {
  /** @param at time of receipt, microseconds by the node's clock */
  arrived(seq: number, at: number): void;
  /** The symbol's handle is known: its ticks follow. */
  granted(interval: number): void;
  /** The gateway sent the state of the symbol. @param reason the reason, if it sent one */
  statusChanged(reason: string): void;
  ended(reason: string): void;
}

/** A client of the gateway with one symbol. */
export class TraceClient {
  readonly #socket: WebSocket;
  readonly #clock: Clock;
  readonly #offset = new ClockOffset();
  /** The callbacks that wait for the next message of an op. */
  readonly #waiting = new Map<string, (control: Control) => void>();
  #listener: ArrivalListener | undefined;
  #handle = -1;
  #askedAt = 0;
  #timer: NodeJS.Timeout | undefined;
  hello: Hello | undefined;

  private constructor(socket: WebSocket, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
    socket.on("message", (data) => this.#receive(String(data), clock.micros()));
    socket.on("error", () => {
      // A close event follows.
    });
    socket.on("close", (code, reason) =>
      this.#listener?.ended(`the gateway has closed the connection (${code} ${reason})`),
    );
  }

  /**
   * Connects, waits for the node's hello, and measures the offset of its clock.
   * @throws TraceError
   */
  static async open(url: string, clock: Clock): Promise<TraceClient> {
    const socket = new WebSocket(url, ["tickgate.v1.json"], {
      handshakeTimeout: TIMEOUT,
      perMessageDeflate: false,
      maxPayload: MAX_FRAME_BYTES,
    });
    const client = new TraceClient(socket, clock);
    // The hello may arrive together with the answer to the upgrade.
    const hello = client.#waitFor("hello");
    hello.catch(() => {});
    await new Promise<void>((resolve, reject) => {
      socket.once("open", () => resolve());
      socket.once("error", (error) => reject(new TraceError(`cannot connect to ${url}: ${error.message}`)));
    });
    client.hello = (await hello) as Hello;
    for (let ping = 0; ping < FIRST_PINGS; ping++) {
      client.#ping();
      await client.#waitFor("pong");
    }
    client.#timer = setInterval(() => client.#ping(), PING_INTERVAL);
    return client;
  }

  /** How far the node's clock is ahead of ours, and the uncertainty of that, microseconds. */
  get skew(): { ahead: number; uncertainty: number } {
    return { ahead: -this.#offset.offset, uncertainty: this.#offset.uncertainty };
  }

  /** Subscribes. */
  follow(symbol: string, interval: number, listener: ArrivalListener): void {
    this.#listener = listener;
    this.#send({ op: "subscribe", symbols: [symbol], interval, fields: ["last"] });
  }

  close(): void {
    this.#listener = undefined;
    clearInterval(this.#timer);
    this.#socket.terminate();
  }

  #send(message: unknown): void {
    this.#socket.send(JSON.stringify(message));
  }

  #ping(): void {
    this.#askedAt = this.#clock.micros();
    this.#send({ op: "ping" });
  }

  #waitFor(op: Control["op"]): Promise<Control> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new TraceError(`the gateway says no ${op}`)), TIMEOUT);
      this.#waiting.set(op, (control) => {
        clearTimeout(timer);
        resolve(control);
      });
    });
  }

  #receive(text: string, at: number): void {
    const seqs: number[] = [];
    let control: Control | undefined;
    try {
      if (isFrame(text))
        readFrame(text, { begin() {}, tick: (handle, seq) => handle === this.#handle && seqs.push(seq) });
      else control = decodeControl(text);
    } catch {
      this.#listener?.ended("the gateway has sent what is no message of the protocol");
      return this.#socket.terminate();
    }
    for (const seq of seqs) this.#listener?.arrived(seq, at - this.#offset.offset);
    if (control) this.#handleControl(control, at);
  }

  #handleControl(value: Control, at: number): void {
    if (value.op === "pong") this.#offset.add(this.#askedAt, value.time, at);
    this.#waiting.get(value.op)?.(value);
    this.#waiting.delete(value.op);
    if (value.op === "error") this.#listener?.ended(`the gateway says ${value.code}: ${value.message}`);
    if (value.op === "bye") this.#listener?.ended(`the gateway is going: ${value.reason}`);
    if (value.op === "status") this.#listener?.statusChanged(value.reason ?? "");
    if (value.op !== "subscribed") return;
    const [rejection] = value.rejected;
    if (rejection) return this.#listener?.ended(`${rejection.symbol} was not granted: ${rejection.message}`);
    // A part of an answer may be without the requested symbol.
    const [granted] = value.symbols;
    if (!granted) return;
    this.#handle = granted[1];
    this.#listener?.granted(value.interval);
  }
}

/**
 * Reads the node's trace: calls back for each line until the signal.
 * @throws TraceError when the node does not deliver it
 */
export async function followNode(
  admin: string,
  symbol: string,
  session: string,
  token: string | undefined,
  signal: AbortSignal,
  told: (line: TraceLine) => void,
): Promise<void> {
  const query = new URLSearchParams({ symbol, session });
  let response: Response;
  try {
    response = await fetch(`${admin}/trace?${query}`, { method: "POST", signal, headers: tokenHeader(token) });
  } catch (error) {
    throw new TraceError(`${admin} does not answer: ${reasonOf(error)}`, { cause: error });
  }
  if (response.status === 401) throw new TraceError(`${admin}: ${NO_TOKEN}`);
  if (response.status === 409) throw new TraceError(`${admin}: ${(await readText(response, MAX_TEXT_LENGTH)).trim()}`);
  if (!response.ok)
    throw new TraceError(
      `${admin} answers ${response.status}: it must be the admin port of the gateway that clients reach`,
    );
  let rest = "";
  const decoder = new TextDecoder();
  try {
    for await (const chunk of response.body ?? []) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > MAX_TEXT_LENGTH) throw new Error("a line of the answer is too long");
      for (const line of lines) told(JSON.parse(line) as TraceLine);
    }
  } catch (error) {
    if (!signal.aborted) throw new TraceError(`${admin} has ended the trace: ${reasonOf(error)}`, { cause: error });
  }
}
