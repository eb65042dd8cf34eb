/** Commands on their way out, no faster than the gateway takes them. What waits is asked for when its turn has come. */
import type { Command } from "../../protocol/messages.ts";
import type { ClientTime } from "../connection/time.ts";

/** The part of the gateway's limit that is used, so that commands that bunch up on the way are within it still. */
const SHARE = 0.8;
/** How long a turn is, s, where the limit allows a command in that time. */
const TURN = 0.5;

export class Throttle {
  readonly #time: ClientTime;
  readonly #next: () => Command | undefined;
  readonly #send: (command: Command) => void;
  /** Commands in a turn, and how long it is, ms. */
  readonly #most: number;
  readonly #turn: number;
  /** Commands left in this turn. */
  #left: number;
  /** Takes back the end of the turn, if one is under way. */
  #cancel: (() => void) | undefined;

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
    const perSecond = Math.max(commandsPerSecond, 1) * SHARE;
    this.#time = time;
    this.#next = next;
    this.#send = send;
    this.#most = this.#left = Math.max(1, Math.floor(perSecond * TURN));
    this.#turn = (this.#most / perSecond) * 1_000;
  }

  /** There may be something to send. */
  kick(): void {
    while (this.#left > 0) {
      const command = this.#next();
      if (!command) return;
      this.#left--;
      this.#cancel ??= this.#time.after(this.#turn, () => {
        this.#cancel = undefined;
        this.#left = this.#most;
        this.kick();
      });
      this.#send(command);
    }
  }

  /** Sends nothing any more. */
  close(): void {
    this.#left = 0;
    this.#cancel?.();
  }
}
