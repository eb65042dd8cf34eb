/** The token of a watch in a file, which another program renews. A token that was refused is not presented again. */
import { readFileSync } from "node:fs";
import { UsageError } from "../../settings/option.ts";

/** How long a refused token may stay in the file, ms: whoever renews it has failed many times by then. */
export const RENEWAL_TIME = 600_000;

/** The end of a client's reason: HTTP 401, and the close codes for which another token is needed. */
const FOR_TOKEN = /response: 401$|\(440[13]\)$/;

export class TokenFile {
  readonly #path: string;
  readonly #now: () => number;
  #presented: string | undefined;
  #refused: string | undefined;
  #refusedAt = 0;

  /**
   * @param now ms
   * @throws UsageError when it cannot be read
   */
  constructor(path: string, now: () => number = () => performance.now()) {
    this.#path = path;
    this.#now = now;
    try {
      this.#read();
    } catch (error) {
      throw new UsageError(`--token-file ${path} cannot be read: ${(error as Error).message}`);
    }
  }

  /** @throws Error while the file has the token that was refused */
  token(): string {
    const token = this.#read();
    if (token === this.#refused)
      throw new Error(`the gateway has refused the token in ${this.#path}, which has not changed`);
    this.#presented = token;
    return token;
  }

  /**
   * A connection was lost, or not made.
   * @returns whether to give up: the refused token has not been renewed for {@link RENEWAL_TIME}
   */
  lost(reason: string): boolean {
    if (FOR_TOKEN.test(reason)) {
      this.#refused = this.#presented;
      this.#refusedAt = this.#now();
    }
    return (
      this.#refused !== undefined && this.#refused === this.#presented && this.#now() - this.#refusedAt >= RENEWAL_TIME
    );
  }

  #read(): string {
    return readFileSync(this.#path, "utf8").trim();
  }
}
