/** How reading went of something that is read again and again: a file, or the keys at an address. */
export class ReadCounts {
  /** When what is in use was read, ms of the clock; undefined before the first time. */
  readAt: number | undefined;
  failures = 0;
  /** Since when it cannot be read, ms of the clock; undefined where the last attempt succeeded. */
  failingSince: number | undefined;

  succeeded(now: number): void {
    this.readAt = now;
    this.failingSince = undefined;
  }

  failed(now: number): void {
    this.failures++;
    this.failingSince ??= now;
  }
}
