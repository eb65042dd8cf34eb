/** How old ticks were when they came: of the last seconds, in a fixed number of counters. */

/** Of each power of two, so many counters: the value told is at most 6 % off. */
const STEPS = 8;
const POWERS = 26;
/** The finest step, microseconds. */
const UNIT = 100;
const WINDOW = 10_000;

export class Ages {
  readonly #millis: () => number;
  /** Of the window under way and of the one before. */
  #counters = new Uint32Array(POWERS * STEPS);
  #before = new Uint32Array(POWERS * STEPS);
  #count = 0;
  #countBefore = 0;
  #since = 0;

  constructor(millis: () => number) {
    this.#millis = millis;
  }

  /** @param micros below 0, where clocks differ, counts as 0 */
  add(micros: number): void {
    const units = Math.min(Math.max(micros / UNIT, 0), 0x3fffffff) | 0;
    // Small values have a counter each; above, three bits follow the first.
    const power = 31 - Math.clz32(units | STEPS);
    const index = units < STEPS ? units : (power - 2) * STEPS + ((units >> (power - 3)) & (STEPS - 1));
    this.#counters[Math.min(index, this.#counters.length - 1)]++;
    this.#count++;
  }

  /** Begins a new window when the present one is over. */
  turn(): void {
    const now = this.#millis();
    if (now - this.#since < WINDOW) return;
    const isOld = now - this.#since >= 2 * WINDOW;
    [this.#before, this.#counters] = [this.#counters, this.#before];
    this.#countBefore = isOld ? 0 : this.#count;
    if (isOld) this.#before.fill(0);
    this.#counters.fill(0);
    this.#count = 0;
    this.#since = now;
  }

  /**
   * The age that a part of the ticks did not exceed, ms; undefined when none has come of late.
   * @param part from 0 to 1
   */
  quantile(part: number): number | undefined {
    this.turn();
    let rest = (this.#count + this.#countBefore) * part;
    if (rest === 0) return undefined;
    for (let index = 0; index < this.#counters.length; index++) {
      rest -= this.#counters[index] + this.#before[index];
      if (rest <= 0) return (middleOf(index) * UNIT) / 1_000;
    }
    return undefined;
  }
}

function middleOf(index: number): number {
  if (index < STEPS) return index + 0.5;
  const width = 2 ** (Math.floor(index / STEPS) - 1);
  return ((index % STEPS) + STEPS + 0.5) * width;
}
