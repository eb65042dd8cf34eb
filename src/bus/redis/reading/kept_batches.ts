/** Copies of the batches that came while a slice of the hash was read: they are applied again after the slice. */

/** The most that is kept, in bytes; beyond it the hash is read once more instead. */
const MAX_KEPT_BYTES = 8_388_608;

export class KeptBatches {
  #batches: Buffer[] = [];
  #bytes = 0;

  /** @returns false where there is no room: nothing is kept then */
  add(message: Buffer): boolean {
    this.#bytes += message.length;
    if (this.#bytes > MAX_KEPT_BYTES) {
      this.take();
      return false;
    }
    this.#batches.push(Buffer.from(message));
    return true;
  }

  /** Takes out all batches. */
  take(): Buffer[] {
    const batches = this.#batches;
    this.#batches = [];
    this.#bytes = 0;
    return batches;
  }
}
