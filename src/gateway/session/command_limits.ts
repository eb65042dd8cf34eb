/** How many commands one connection may send, and how many that are none, before it is closed. */
import type { Settings } from "../../settings/settings.ts";
import type { StallWatch } from "../outbound/stall_watch.ts";
import { TokenBucket } from "./token_bucket.ts";

/** Unreadable messages that a connection may send at once, and one more a second, before it is closed. */
const BAD_MESSAGES = 20;
/** Commands over the limit that a connection may send, in seconds' worth of its limit, before it is closed. */
const EXCESS_SECONDS = 3;

export interface CommandLimitsParts {
  readonly settings: Pick<Settings, "commandsPerSecond">;
  readonly clock: { millis(): number };
  readonly stalls: StallWatch;
}

export class CommandLimits {
  readonly #parts: CommandLimitsParts;
  readonly #commands: TokenBucket;
  readonly #excess: TokenBucket;
  readonly #bad: TokenBucket;

  constructor(parts: CommandLimitsParts) {
    const now = parts.clock.millis();
    const stalled = parts.stalls.stalled(now);
    const { commandsPerSecond } = parts.settings;
    this.#parts = parts;
    this.#commands = new TokenBucket(commandsPerSecond, commandsPerSecond, now, stalled);
    this.#excess = new TokenBucket(commandsPerSecond, commandsPerSecond * EXCESS_SECONDS, now, stalled);
    this.#bad = new TokenBucket(1, BAD_MESSAGES, now, stalled);
  }

  /** A command has come. @returns whether it may be executed, is to be refused, or is one too many to go on */
  take(): "execute" | "refuse" | "close" {
    const { now, stalled } = this.#time();
    if (this.#commands.take(now, stalled)) return "execute";
    return this.#excess.take(now, stalled) ? "refuse" : "close";
  }

  /** A message is no command, or a token not valid. @returns whether the connection may go on */
  takeBad(): boolean {
    const { now, stalled } = this.#time();
    return this.#bad.take(now, stalled);
  }

  #time(): { now: number; stalled: number } {
    const now = this.#parts.clock.millis();
    return { now, stalled: this.#parts.stalls.stalled(now) };
  }
}
