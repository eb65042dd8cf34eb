/** Commands on their way out, no faster than the gateway takes them. */
import type { Command } from "../protocol/messages.ts";
import type { ClientTime } from "./time.ts";

/** The part of the gateway's limit that is used, so that commands that bunch up on the way are within it still. */
const SHARE = 0.8;
/** Commands that may wait; a caller that asks for more has to slow down. */
const MOST_WAITING = 10_000;

export class Outbox {
  readonly #time: ClientTime;
  readonly #send: (command: Command) => void;
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #waiting: Command[] = [];
  #tokens: number;
  #filledAt: number;
  #cancel: (() => void) | undefined;

  /** @param commandsPerSecond the gateway's limit */
  constructor(time: ClientTime, commandsPerSecond: number, send: (command: Command) => void) {
    this.#time = time;
    this.#send = send;
    this.#perSecond = commandsPerSecond * SHARE;
    this.#burst = Math.max(1, Math.floor(this.#perSecond / 2));
    this.#tokens = this.#burst;
    this.#filledAt = time.millis();
  }

  /** @throws Error when too many commands wait */
  add(command: Command): void {
    if (this.#waiting.length >= MOST_WAITING)
      throw new Error(`${MOST_WAITING} commands wait to be sent already; name more symbols in each`);
    this.#waiting.push(command);
    this.#pump();
  }

  /** Sends nothing any more. */
  close(): void {
    this.#cancel?.();
    this.#waiting.length = 0;
  }

  #pump(): void {
    if (this.#cancel) return;
    const now = this.#time.millis();
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#filledAt) / 1_000) * this.#perSecond);
    this.#filledAt = now;
    let sent = 0;
    while (sent < this.#waiting.length && this.#tokens >= 1) {
      this.#tokens--;
      this.#send(this.#waiting[sent++]);
    }
    this.#waiting.splice(0, sent);
    if (this.#waiting.length === 0) return;
    // A little more than is needed: rounding must not make it try in vain.
    const wait = ((1 - this.#tokens) / this.#perSecond) * 1_000 + 1;
    this.#cancel = this.#time.after(wait, () => {
      this.#cancel = undefined;
      this.#pump();
    });
  }
}
