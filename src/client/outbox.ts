/** Commands on their way out, no faster than the gateway takes them. What waits is asked for when its turn has come. */
import type { Command } from "../protocol/messages.ts";
import type { ClientTime } from "./time.ts";

/** The part of the gateway's limit that is used, so that commands that bunch up on the way are within it still. */
const SHARE = 0.8;

export class Outbox {
  readonly #time: ClientTime;
  readonly #next: () => Command | undefined;
  readonly #send: (command: Command) => void;
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #filledAt: number;
  #cancel: (() => void) | undefined;
  #closed = false;

  /**
   * @param commandsPerSecond the gateway's limit
   * @param next gives the next command, as long as there is one
   */
  constructor(
    time: ClientTime,
    commandsPerSecond: number,
    next: () => Command | undefined,
    send: (command: Command) => void,
  ) {
    this.#time = time;
    this.#next = next;
    this.#send = send;
    this.#perSecond = commandsPerSecond * SHARE;
    this.#burst = Math.max(1, Math.floor(this.#perSecond / 2));
    this.#tokens = this.#burst;
    this.#filledAt = time.millis();
  }

  /** There may be something to send. */
  kick(): void {
    if (this.#cancel) return;
    const now = this.#time.millis();
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#filledAt) / 1_000) * this.#perSecond);
    this.#filledAt = now;
    while (!this.#closed && this.#tokens >= 1) {
      const command = this.#next();
      if (!command) return;
      this.#tokens--;
      this.#send(command);
    }
    if (this.#closed) return;
    // A little more than is needed: rounding must not make it try in vain.
    const wait = ((1 - this.#tokens) / this.#perSecond) * 1_000 + 1;
    this.#cancel = this.#time.after(wait, () => {
      this.#cancel = undefined;
      this.kick();
    });
  }

  /** Sends nothing any more. */
  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }
}
