/** The keys in a file. */
import type { JWSHeaderParameters } from "jose";
import type { Logger } from "pino";
import type { Clock } from "../base/clock.ts";
import { type Key, type KeySet, type KeySource, readKeySet } from "./key_source.ts";
import type { ReadCounts } from "./read_counts.ts";
import { ReloadedFile } from "./reloaded_file.ts";

export class KeyFile implements KeySource {
  readonly #log: Logger;
  readonly #file: ReloadedFile<KeySet>;

  /** @throws Error says why the file cannot be used */
  constructor(path: string, clock: Clock, log: Logger, counts: ReadCounts) {
    this.#log = log;
    this.#file = new ReloadedFile(path, clock, readKeySet, counts);
  }

  async start(): Promise<void> {
    const { path: file } = this.#file;
    this.#file.watch({
      changed: () => this.#log.info({ file }, "the keys of tokens have been read again"),
      failed: (reason) => this.#log.error({ file, reason }, "the keys of tokens cannot be read: the last ones stay"),
    });
  }

  find(header: JWSHeaderParameters): Promise<Key> {
    return this.#file.value(header) as Promise<Key>;
  }

  close(): void {
    this.#file.close();
  }
}
