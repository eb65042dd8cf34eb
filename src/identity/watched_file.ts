/** A file whose content is read again when it changes: also where a rename or a symbolic link replaces it. */
import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from "node:fs";

/** The largest file, bytes: it is read in one go. */
const MOST_BYTES = 4_194_304;

export class WatchedFile {
  readonly #path: string;
  #stamp = "";

  constructor(path: string) {
    this.#path = path;
  }

  /** @throws Error says why it cannot be read */
  read(): string {
    this.#stamp = this.#currentStamp();
    // To open a FIFO for reading would wait for somebody who writes; Windows has neither.
    const file = openSync(this.#path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const stats = fstatSync(file);
      if (!stats.isFile()) throw new Error(`it is ${stats.isDirectory() ? "a directory" : "no regular file"}`);
      if (stats.size > MOST_BYTES) throw new Error(`it has more than ${MOST_BYTES} bytes`);
      return readFileSync(file, "utf8");
    } finally {
      closeSync(file);
    }
  }

  /** Whether it is another than at the last call, or when it was read. It costs some microseconds. */
  hasChanged(): boolean {
    const before = this.#stamp;
    this.#stamp = this.#currentStamp();
    return this.#stamp !== before;
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
