/**
 * What one connection saw, for the reports that exchanges ask for: which venue, how late, as whom, from when to when. A
 * line is written when it begins, and one when it ends.
 */
import type { Identity } from "../../identity/identity.ts";

/** Takes the lines of all connections. */
export interface AccessLog {
  write(line: object): void;
}

/** What is written of the connection in each line. */
interface Connection {
  readonly session: string;
  readonly address: string;
}

interface Seen {
  readonly venue: string;
  readonly delay: number;
  readonly from: string;
}

export class AccessRecord {
  readonly #log: AccessLog;
  readonly #connection: Connection;
  readonly #now: () => number;
  #who: object;
  /** By venue and delay. Not more than a connection has symbols. */
  readonly #seen = new Map<string, Seen>();

  /** @param now microseconds since the Unix epoch */
  constructor(log: AccessLog, connection: Connection, identity: Identity | undefined, now: () => number) {
    this.#log = log;
    this.#connection = connection;
    this.#now = now;
    this.#who = whoIs(identity);
    this.#write("connected", {});
  }

  /** The client sees a symbol from now on. @param delay ms */
  see(symbol: string, delay: number): void {
    const venue = venueOf(symbol);
    const key = `${venue} ${delay}`;
    if (this.#seen.has(key)) return;
    const seen = { venue, delay, from: this.#time };
    this.#seen.set(key, seen);
    this.#write("sees", seen);
  }

  /** The client is somebody else, or may see something else: what it saw until now has ended. */
  identify(identity: Identity | undefined): void {
    this.#end();
    this.#who = whoIs(identity);
    this.#write("identified", {});
  }

  close(): void {
    this.#end();
    this.#write("disconnected", {});
  }

  get #time(): string {
    return new Date(this.#now() / 1_000).toISOString();
  }

  #end(): void {
    for (const seen of this.#seen.values()) this.#write("saw", { ...seen, to: this.#time });
    this.#seen.clear();
  }

  #write(event: string, more: object): void {
    this.#log.write({ time: this.#time, event, ...this.#connection, ...this.#who, ...more });
  }
}

function whoIs(identity: Identity | undefined): object {
  return { subject: identity?.subject ?? null, roles: identity?.roles ?? [] };
}

/** By convention `VENUE:BASE-QUOTE`; a plain ticker has no venue. */
function venueOf(symbol: string): string {
  const end = symbol.indexOf(":");
  return end < 0 ? "" : symbol.slice(0, end);
}
