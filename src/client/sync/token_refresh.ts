/** Presents another token on a connection: one attempt at a time, again and again until the gateway accepts one. */
import { Backoff } from "../../base/backoff.ts";
import type { Command } from "../../protocol/messages.ts";
import { TickgateError } from "../connection/error.ts";
import type { ClientTime } from "../connection/time.ts";
import { askToken, TOKEN_LATE, TOKEN_TIME, type TokenOptions } from "../connection/token.ts";

/**
 * The longest wait after the first failure and after many, ms: half a dozen attempts fit into the minute between
 * `expiring` and the expiry.
 */
const FIRST_WAIT = 2_000;
const LONGEST_WAIT = 30_000;

export interface TokenRefreshOptions extends TokenOptions {
  readonly time: ClientTime;
  readonly random: () => number;
  readonly send: (command: Command) => void;
}

export class TokenRefresh {
  readonly #options: TokenRefreshOptions;
  readonly #backoff: Backoff;
  /** The id of the present or the next attempt: below 0, where no other command has its id. */
  #id = -1;
  /** Cancels the one timer that runs: for an attempt or for the next one. */
  #cancel: (() => void) | undefined;

  constructor(options: TokenRefreshOptions) {
    this.#options = options;
    this.#backoff = new Backoff(FIRST_WAIT, LONGEST_WAIT, options.random);
  }

  /** The token expires, or has expired: does nothing if that is known already, or if there is no other token. */
  start(): void {
    if (this.#cancel || typeof this.#options.token !== "function") return;
    this.#backoff.reset();
    this.#attempt();
  }

  /** The gateway has refused the command with this id: tries again later if that was the present attempt. */
  refused(id: unknown): void {
    if (id !== this.#id) return;
    this.stop();
    this.#cancel = this.#options.time.after(this.#backoff.next(), () => this.#attempt());
  }

  /** A token was accepted, or the connection is lost. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#id--;
  }

  #attempt(): void {
    const { time, send, failed } = this.#options;
    const id = this.#id;
    this.#cancel = time.after(TOKEN_TIME, () => {
      this.refused(id);
      failed(new TickgateError("invalid_token", TOKEN_LATE));
    });
    askToken(
      this.#options,
      () => id === this.#id,
      (token) => send({ op: "auth", id, token }),
      () => this.refused(id),
    );
  }
}
