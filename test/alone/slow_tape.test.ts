/**
 * Tape readers of 10 KB/s that are offered 1 MB/s each, in real processes and over real sockets: they get the latest
 * trades, are told how many they miss, and the gateway does not keep them for them. Another reader, which reads all,
 * shows what was offered and that the slow ones take nothing from it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { SystemClock } from "../../src/base/clock.ts";
import { GatewayProcess, until } from "../support/gateway_process.ts";
import { SlowLink } from "../support/slow_link.ts";
import { TapeReader } from "../support/tape_reader.ts";

/** Bytes a second that a slow reader reads, and how many there are. */
const READ = 10_000;
const READERS = 4;
/** The least that each is offered, bytes a second. */
const OFFERED = 1_000_000;
const SYMBOLS = Array.from({ length: 20 }, (_, index) => `V:S${index}`);
/** Trades a second of all symbols together, of some 55 bytes each; and how often they are written, ms. */
const RATE = 22_000;
const PERIOD = 20;
/** The length of the offer, ms. */
const LENGTH = 20_000;
/** The oldest trade that may arrive, microseconds. */
const MOST_AGE = 3_000_000;
/**
 * More trades than a symbol has in three seconds, so that it is not the limit of this list that keeps them young. The
 * lists are full in 4 s.
 */
const KEPT = 4_096;
const FULL = 7_000;
/**
 * Memory may grow by this much once the lists are full, bytes: garbage makes it vary by some 10 MB, even though the
 * lowest of some samples counts. In the 10 s between the samples the slow readers are offered more than 40 MB: a
 * gateway that kept the bytes for them would grow by these, and one that kept trades as objects by several times that.
 */
const MOST_GROWTH = 20_000_000;
const SAMPLES = 8;
const SAMPLE_PAUSE = 300;

const clock = new SystemClock();

/** Writes trades of all symbols in turn at the rate. */
class Offer {
  written = 0;
  readonly #gateway: GatewayProcess;
  readonly #timer: NodeJS.Timeout;
  readonly #start = performance.now();

  constructor(gateway: GatewayProcess) {
    this.#gateway = gateway;
    this.#timer = setInterval(() => this.#write(), PERIOD);
  }

  #write(): void {
    const due = Math.floor(((performance.now() - this.#start) * RATE) / 1_000);
    const time = clock.micros();
    const lines: object[] = [];
    for (; this.written < due; this.written++) {
      const trade = {
        price: 100.01 + (this.written % 500) / 100,
        size: 0.25,
        side: "buy",
        id: 10 ** 15 + this.written,
      };
      lines.push({ symbol: SYMBOLS[this.written % SYMBOLS.length], time, trade });
    }
    this.#gateway.ticks(lines);
  }

  end(): void {
    clearInterval(this.#timer);
  }

  /** How many trades of a symbol were written. */
  of(symbol: string): number {
    const index = SYMBOLS.indexOf(symbol);
    return Math.floor((this.written - index - 1) / SYMBOLS.length) + 1;
  }
}

/** The lowest resident memory of some samples. */
async function memoryOf(gateway: GatewayProcess): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let sample = 0; sample < SAMPLES; sample++) {
    least = Math.min(least, await gateway.metric("process_resident_memory_bytes"));
    await sleep(SAMPLE_PAUSE);
  }
  return least;
}

test("tape readers that are a hundred times too slow get young trades, and are told of each that they miss", {
  timeout: 90_000,
}, async (t) => {
  const gateway = await GatewayProcess.open("--trades-per-symbol", String(KEPT));
  t.after(() => gateway.close());
  const link = await SlowLink.open(gateway.port, READ);
  t.after(() => link.close());
  const slow = Array.from({ length: READERS }, () => new TapeReader(link.url, SYMBOLS, 100));
  const healthy = new TapeReader(gateway.url, SYMBOLS, 100);
  for (const reader of [...slow, healthy]) {
    t.after(() => reader.close());
    await until(reader.changes, () => reader.granted, "the grant");
  }
  const offer = new Offer(gateway);
  t.after(() => offer.end());
  const start = performance.now();
  await sleep(FULL);
  const before = await memoryOf(gateway);
  await sleep(LENGTH - (performance.now() - start) - SAMPLES * SAMPLE_PAUSE);
  const after = await memoryOf(gateway);
  offer.end();
  const seconds = (performance.now() - start) / 1_000;
  for (const reader of [healthy, ...slow])
    await until(
      reader.changes,
      () => SYMBOLS.every((symbol) => reader.accounted(symbol) === offer.of(symbol)),
      "every trade to be received or missed",
    );
  const millis = (micros: number) => `${(micros / 1_000).toFixed(0)} ms`;
  for (const { received, missed, bytes, greatestAge, greatestWay } of [healthy, ...slow])
    t.diagnostic(
      `${received} received and ${missed} missed of ${offer.written}; ${(bytes / seconds).toFixed(0)} bytes/s; ` +
        `oldest trade ${millis(greatestAge)}, slowest frame ${millis(greatestWay)}`,
    );
  t.diagnostic(`memory ${(before / 1e6).toFixed(1)} to ${(after / 1e6).toFixed(1)} MB`);
  assert.ok(healthy.bytes / seconds >= OFFERED, `${healthy.bytes} bytes in ${seconds} s`);
  assert.deepEqual([healthy.breaches, healthy.received, healthy.missed], [[], offer.written, 0]);
  for (const { breaches, received, missed, bytes, greatestAge } of slow) {
    assert.deepEqual(breaches, []);
    assert.equal(received + missed, offer.written, "each trade is received or counted as missed");
    assert.ok(received > 0 && bytes / seconds < READ * 1.1, `${bytes} bytes in ${seconds} s`);
    assert.ok(greatestAge <= MOST_AGE, `the oldest trade was ${millis(greatestAge)} old`);
  }
  assert.ok(after - before <= MOST_GROWTH, `memory grew from ${before} to ${after}`);
});
