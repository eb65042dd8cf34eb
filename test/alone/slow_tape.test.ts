/**
 * A tape reader of 10 KB/s that is offered 1 MB/s, in real processes and over real sockets: it gets the latest trades,
 * is told how many it misses, and the gateway does not keep them for it. A second reader, which reads all, shows what
 * was offered and that the slow one takes nothing from it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { SystemClock } from "../../src/base/clock.ts";
import { GatewayProcess, until } from "../support/gateway_process.ts";
import { SlowLink } from "../support/slow_link.ts";
import { TapeReader } from "../support/tape_reader.ts";

/** Bytes a second that the slow reader reads. */
const READ = 10_000;
/** The least that it is offered, bytes a second. */
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
 * Memory may grow by this much once the lists are full, bytes. The 13 s that follow offer 13 MB: a gateway that kept
 * the bytes for the slow reader would grow by them, and one that kept trades as objects by several times that. Of some
 * samples the lowest counts, since garbage comes and goes.
 */
const MOST_GROWTH = 8_000_000;
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

  /** Ends it with as many trades of each symbol. */
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

test("a tape reader that is a hundred times too slow gets young trades, and is told of each that it misses", {
  timeout: 90_000,
}, async (t) => {
  const gateway = await GatewayProcess.open("--trades-per-symbol", String(KEPT));
  t.after(() => gateway.close());
  const link = await SlowLink.open(gateway.port, READ);
  t.after(() => link.close());
  const slow = new TapeReader(link.url, SYMBOLS, 100);
  const healthy = new TapeReader(gateway.url, SYMBOLS, 100);
  for (const reader of [slow, healthy]) {
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
  for (const reader of [healthy, slow])
    await until(
      reader.changes,
      () => SYMBOLS.every((symbol) => reader.accounted(symbol) === offer.of(symbol)),
      "every trade to be received or missed",
    );
  const millis = (micros: number) => `${(micros / 1_000).toFixed(0)} ms`;
  for (const [name, { received, missed, bytes, greatestAge, greatestWay }] of Object.entries({ healthy, slow }))
    t.diagnostic(
      `${name}: ${received} received and ${missed} missed of ${offer.written}; ${(bytes / seconds).toFixed(0)} bytes/s; ` +
        `oldest trade ${millis(greatestAge)}, slowest frame ${millis(greatestWay)}`,
    );
  t.diagnostic(`memory ${(before / 1e6).toFixed(1)} to ${(after / 1e6).toFixed(1)} MB`);
  assert.deepEqual([...slow.breaches, ...healthy.breaches], []);
  assert.ok(healthy.bytes / seconds >= OFFERED, `${healthy.bytes} bytes in ${seconds} s`);
  assert.deepEqual([healthy.received, healthy.missed], [offer.written, 0]);
  assert.equal(slow.received + slow.missed, offer.written);
  assert.ok(slow.received > 0 && slow.bytes / seconds < READ * 1.1, `${slow.bytes} bytes in ${seconds} s`);
  assert.ok(slow.greatestAge <= MOST_AGE, `the oldest trade was ${millis(slow.greatestAge)} old`);
  assert.ok(after - before <= MOST_GROWTH, `memory grew from ${before} to ${after}`);
});
