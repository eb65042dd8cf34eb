/** The file of the policy: read again when it changes. A bad one is not taken over. */
import type { Logger } from "pino";
import { type Policy, readPolicy } from "./policy.ts";
import { WatchedFile } from "./watched_file.ts";

export class PolicyFile {
  readonly #path: string;
  readonly #log: Logger;
  readonly #file: WatchedFile;
  #policy: Policy;
  #changed: () => void = () => {};
  /** How often the file was bad when it was read again. */
  failures = 0;

  /** @throws Error says why the file cannot be used */
  constructor(path: string, log: Logger) {
    this.#path = path;
    this.#log = log;
    this.#file = new WatchedFile(path);
    this.#policy = readPolicy(this.#file.read());
    this.#file.watch(() => this.#readAgain());
  }

  get policy(): Policy {
    return this.#policy;
  }

  onChange(changed: () => void): void {
    this.#changed = changed;
  }

  close(): void {
    this.#file.close();
  }

  #readAgain(): void {
    try {
      this.#policy = readPolicy(this.#file.read(), this.#policy);
    } catch (error) {
      this.failures++;
      const { message: reason } = error as Error;
      this.#log.error({ file: this.#path, reason }, "the policy cannot be read: the last one stays in force");
      return;
    }
    this.#log.info({ file: this.#path, roles: this.#policy.size }, "the policy has been read again");
    this.#changed();
  }
}
