/** Sends commands within the gateway's rate limit. Each command is made only when it can be sent. */
import type { Command } from "../../protocol/messages.ts";
import type { ClientTime } from "../connection/time.ts";

/** The used part of the gateway's limit: commands that the network delays and delivers together stay within it. */
const SHARE = 0.8;
/** The length of a window, s, if the limit allows a command in it. */
const WINDOW = 0.5;

export class Throttle {
  readonly #time: ClientTime;
  readonly #next: () => Command | undefined;
  readonly #send: (command: Command) => void;
  /** Commands in a window, and its length, ms. */
  readonly #perWindow: number;
  readonly #windowTime: number;
  /** Commands left in this window. */
  #left: number;
  /** Cancels the end of the window, if one has begun. */
  #cancel: (() => void) | undefined;

  /**
   * @param commandsPerSecond the gateway's limit
   * @param next makes the next command, if there is one
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
    this.#perWindow = this.#left = Math.max(1, Math.floor(perSecond * WINDOW));
    this.#windowTime = (this.#perWindow / perSecond) * 1_000;
  }

  /** Sends what there is to send, as far as the window allows. */
  flush(): void {
    while (this.#left > 0) {
      const command = this.#next();
      if (!command) return;
      this.#left--;
      this.#cancel ??= this.#time.after(this.#windowTime, () => {
        this.#cancel = undefined;
        this.#left = this.#perWindow;
        this.flush();
      });
      this.#send(command);
    }
  }

  /** Sends no more commands. */
  close(): void {
    this.#left = 0;
    this.#cancel?.();
  }
}
