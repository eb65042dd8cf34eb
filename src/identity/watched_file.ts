/** A file whose content is read again when it changes: also where a rename or a symbolic link replaces it. */
import { readFileSync, statSync } from "node:fs";

/** How often it is checked, ms: a change takes effect within a second or so, and a check costs some microseconds. */
const CHECK_INTERVAL = 1_000;
/** The largest file, bytes: it is read in one go. */
const MOST_BYTES = 4_194_304;

export class WatchedFile {
  readonly #path: string;
  #timer: NodeJS.Timeout | undefined;
  #stamp = "";

  constructor(path: string) {
    this.#path = path;
  }

  /** @throws Error says why it cannot be read */
  read(): string {
    this.#stamp = this.#currentStamp();
    if (statSync(this.#path).size > MOST_BYTES) throw new Error(`it has more than ${MOST_BYTES} bytes`);
    return readFileSync(this.#path, "utf8");
  }

  /** Calls `changed` after each change, until {@link close}. */
  watch(changed: () => void): void {
    this.#timer = setInterval(() => this.check(changed), CHECK_INTERVAL);
    this.#timer.unref();
  }

  check(changed: () => void): void {
    const stamp = this.#currentStamp();
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    changed();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #currentStamp(): string {
    try {
      const { ino, size, mtimeNs, ctimeNs } = statSync(this.#path, { bigint: true });
      return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
    } catch {
      return "";
    }
  }
}
