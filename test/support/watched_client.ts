/**
 * A client that tries to see what it may not, and checks each message at its arrival. Every value is the time at which
 * it was published, so a value shows by itself whether it is too young.
 */
import { decode, encode } from "@msgpack/msgpack";
import { WebSocket } from "ws";
import type { Control, Subprotocol } from "../../src/protocol/messages.ts";

/** The prefix of symbols that nobody here may see, of those that come and go, and of those that come late. */
export const SECRET_PREFIX = "SECRET:";
export const SHIFT_PREFIX = "SHIFT:";
export const LATE_PREFIX = "LATE:";
/** A value that only hidden ticks have. Its double appears in MessagePack, its digits in JSON. */
export const SECRET_VALUE = 7_654_321.987_65;
/** Ages are differences of whole milliseconds at both ends. */
const ROUNDING = 5;
/** A client that gets no answer for so long fails, ms. */
const DEADLINE = 20_000;
const KEPT_VIOLATIONS = 20;

const SECRET_BYTES = [
  Buffer.from(String(SECRET_VALUE)),
  Buffer.from(encode(SECRET_VALUE)).subarray(1),
  Buffer.from(String(SECRET_VALUE)).subarray(0, 10),
];

/** What was wrong, of all clients. */
export class Violations {
  count = 0;
  readonly examples: string[] = [];

  add(text: string): void {
    this.count++;
    if (this.examples.length < KEPT_VIOLATIONS) this.examples.push(text);
  }
}

/** Answers with an `id`, which may come in parts. */
type Answer = Control & { id?: string | number; more?: boolean };

export class WatchedClient {
  readonly #socket: WebSocket;
  readonly #violations: Violations;
  readonly #delay: number;
  readonly name: string;
  /** Symbols by handle; those that are not subscribed are absent. */
  readonly #handles = new Map<number, string>();
  readonly #waiting = new Map<string, { parts: Answer[]; done: (parts: Answer[]) => void }>();
  #nextId = 0;
  /** Since when shifting symbols are denied, and late ones only late, ms; undefined while that is not certain. */
  deniedSince: number | undefined = 0;
  lateSince: number | undefined = 0;
  /** Ticks so far, of all symbols, and of shifting and of late ones. */
  ticks = 0;
  shifted = 0;
  late = 0;
  closed: number | undefined;

  private constructor(socket: WebSocket, name: string, delay: number, violations: Violations) {
    this.#socket = socket;
    this.name = name;
    this.#delay = delay;
    this.#violations = violations;
    socket.on("message", (data: Buffer, isBinary) => this.#hear(data, isBinary));
    socket.on("close", (code) => {
      this.closed = code;
      for (const { done, parts } of this.#waiting.values()) done(parts);
    });
    socket.on("error", () => {});
  }

  /** @param delay of late symbols, ms */
  static async open(
    url: string,
    subprotocol: Subprotocol,
    { delay, violations, token, name }: { delay: number; violations: Violations; token?: string; name: string },
  ): Promise<WatchedClient> {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const socket = new WebSocket(url, subprotocol, { headers });
    const client = new WatchedClient(socket, name, delay, violations);
    await new Promise<void>((resolve, reject) => {
      socket.once("message", () => resolve());
      socket.once("error", reject);
    });
    return client;
  }

  /** Sends a command. @returns the answer's parts */
  ask(command: Record<string, unknown>): Promise<Answer[]> {
    const id = `c${this.#nextId++}`;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${this.name}: no answer to ${JSON.stringify(command)}`)),
        DEADLINE,
      );
      this.#waiting.set(id, {
        parts: [],
        done: (parts) => {
          clearTimeout(timer);
          this.#waiting.delete(id);
          resolve(parts);
        },
      });
      this.#send({ ...command, id });
    });
  }

  /** From now on nothing is certain until {@link deny}. */
  allow(): void {
    this.deniedSince = undefined;
    this.lateSince = undefined;
  }

  /** From now on shifting symbols are denied, and late ones are late. */
  deny(): void {
    this.deniedSince = Date.now();
    this.lateSince = Date.now();
  }

  /** Replaces the token. @param denies whether it denies, from the moment of its answer on */
  async authenticate(token: string, denies: boolean): Promise<void> {
    this.allow();
    this.#denies = denies;
    const [answer] = await this.ask({ op: "auth", token });
    if (answer?.op !== "authenticated") throw new Error(`${this.name}: ${JSON.stringify(answer)}`);
  }
  #denies = false;

  close(): void {
    this.#socket.terminate();
  }

  #send(message: unknown): void {
    this.#socket.send(this.#socket.protocol === "tickgate.v1.json" ? JSON.stringify(message) : encode(message));
  }

  #hear(data: Buffer, isBinary: boolean): void {
    for (const bytes of SECRET_BYTES)
      if (data.includes(bytes)) this.#violate("a hidden value", data.toString("latin1"));
    const message: unknown = isBinary ? decode(data) : JSON.parse(data.toString());
    if (Array.isArray(message)) for (const tick of message.slice(1)) this.#tick(tick);
    else this.#control(message as Answer);
  }

  #tick([handle, , , published]: readonly number[]): void {
    const symbol = this.#handles.get(handle);
    this.ticks++;
    if (symbol === undefined) return this.#violate("a tick without a subscription", String(handle));
    const now = Date.now();
    if (symbol.startsWith(SHIFT_PREFIX)) {
      this.shifted++;
      if (this.deniedSince !== undefined && published > this.deniedSince)
        this.#violate("a tick that is denied", `${symbol}, ${published - this.deniedSince} ms after`);
    }
    if (symbol.startsWith(LATE_PREFIX)) {
      this.late++;
      if (this.lateSince !== undefined && published > this.lateSince && now - published < this.#delay - ROUNDING)
        this.#violate("a late tick before its time", `${symbol}, ${now - published} ms old`);
    }
  }

  #control(message: Answer): void {
    if (message.op === "authenticated" && this.#denies) this.deny();
    if (message.op === "subscribed")
      for (const [symbol, handle] of message.symbols) {
        this.#handles.set(handle, symbol);
        if (symbol.startsWith(SECRET_PREFIX)) this.#violate("a grant of a hidden symbol", symbol);
        if (symbol.startsWith(SHIFT_PREFIX) && this.deniedSince !== undefined)
          this.#violate("a grant of a denied symbol", symbol);
        const isLate = message.delayed?.some(([name]) => name === symbol) === true;
        if (symbol.startsWith(LATE_PREFIX) && this.lateSince !== undefined && !isLate)
          this.#violate("a live grant of a late symbol", symbol);
      }
    if (message.op === "unsubscribed") {
      const ended = new Set(message.symbols);
      for (const [handle, symbol] of this.#handles) if (ended.has(symbol)) this.#handles.delete(handle);
    }
    const waiting = message.id === undefined ? undefined : this.#waiting.get(String(message.id));
    if (waiting === undefined) {
      if (JSON.stringify(message).includes(SECRET_PREFIX))
        this.#violate("a message about a hidden symbol", JSON.stringify(message));
      return;
    }
    waiting.parts.push(message);
    if (message.more !== true) waiting.done(waiting.parts);
  }

  #violate(what: string, detail: string): void {
    this.#violations.add(`${this.name}: ${what}: ${detail.slice(0, 300)}`);
  }
}
