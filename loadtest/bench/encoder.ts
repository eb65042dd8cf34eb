/**
 * The gateway's work for a tick between market table and socket: scheduling flushes, scanning and copying. Compare the
 * ratio to a codec per client in the same run; absolute times differ between machines. Also measures scans of a large
 * subscription and the maintenance of sessions.
 *
 *     node loadtest/bench/encoder.ts
 */
import { CodecClients } from "./codec_clients.ts";
import { MemoryGateway } from "./memory_gateway.ts";

const SYMBOLS = 1_000;
const CONNECTIONS = 1_000;
const PER_CONNECTION = 50;
const INTERVAL = 100;
/** The flush scheduler's period, ms, and the ticks in it at 20,000 per second. */
const STEP = 4;
const TICKS_PER_STEP = 80;
/** Intervals per round. The best round counts: other programs slow the others down. */
const INTERVALS = 20;
const ROUNDS = 5;
const LARGE = 10_000;
const SCANS = 50;
/** How often the gateway maintains its sessions, ms. */
const MAINTAIN_PERIOD = 250;

interface Cost {
  /** Per tick and per frame, nanoseconds. */
  tick: number;
  frame: number;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Nanoseconds per call: the best of several rounds of `times` calls. */
function timed(times: number, work: (time: number) => void, prepare: (time: number) => void = () => {}): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    let nanos = 0;
    for (let time = 0; time < times; time++) {
      prepare(time);
      const start = performance.now();
      work(time);
      nanos += (performance.now() - start) * 1e6;
    }
    best = Math.min(best, nanos / times);
  }
  return best;
}

function symbolsOf(connection: number): number[] {
  return Array.from({ length: PER_CONNECTION }, (_, i) => (connection + (i * SYMBOLS) / PER_CONNECTION) % SYMBOLS);
}

/** In each round both send the same ticks, alternating per step. */
function compareWithCodec(): { shared: Cost; codec: Cost } {
  const gateway = new MemoryGateway(SYMBOLS);
  const { clock, context } = gateway;
  const { scheduler, counts, table } = context;
  const clients = new CodecClients(table);
  for (let connection = 0; connection < CONNECTIONS; connection++) {
    gateway.connect(symbolsOf(connection), INTERVAL);
    clients.connect(symbolsOf(connection).map((symbol) => table.rowOf(`SIM:S${String(symbol).padStart(4, "0")}`)));
  }
  const shared: Cost = { tick: Number.POSITIVE_INFINITY, frame: Number.POSITIVE_INFINITY };
  const codec: Cost = { ...shared };
  // The first round only spreads the connections over the flushes.
  for (let round = 0; round <= ROUNDS; round++) {
    const before = { ticks: counts.ticksOut, frames: counts.framesOut, codecTicks: clients.ticks };
    let sharedMillis = 0;
    let codecMillis = 0;
    let packed = 0;
    for (let step = 0; step < (INTERVALS * INTERVAL) / STEP; step++) {
      gateway.ticks(TICKS_PER_STEP);
      clock.advance(STEP);
      const start = performance.now();
      scheduler.run();
      const middle = performance.now();
      const flushes = (CONNECTIONS * STEP) / INTERVAL;
      for (let flush = 0; flush < flushes; flush++) clients.flush(packed++ % CONNECTIONS, clock.micros());
      codecMillis += performance.now() - middle;
      sharedMillis += middle - start;
      gateway.answerPings();
    }
    if (round === 0) continue;
    shared.tick = Math.min(shared.tick, (sharedMillis * 1e6) / (counts.ticksOut - before.ticks));
    shared.frame = Math.min(shared.frame, (sharedMillis * 1e6) / (counts.framesOut - before.frames));
    codec.tick = Math.min(codec.tick, (codecMillis * 1e6) / (clients.ticks - before.codecTicks));
    codec.frame = Math.min(codec.frame, (codecMillis * 1e6) / packed);
  }
  return { shared, codec };
}

/** One scan of a subscription of {@link LARGE} symbols of which `changed` have changed, nanoseconds. */
function largeScan(changed: number): number {
  const gateway = new MemoryGateway(LARGE);
  gateway.connect([...new Array(LARGE).keys()], INTERVAL);
  const { clock, context } = gateway;
  // Sends the snapshots and passes the first flush, whose time is random.
  for (let millis = 0; millis < 2_000; millis += STEP) {
    clock.advance(STEP);
    context.scheduler.run();
    gateway.answerPings();
    if (millis % MAINTAIN_PERIOD === 0) gateway.maintain();
  }
  const ticksBefore = context.counts.ticksOut;
  const nanos = timed(
    SCANS,
    () => context.scheduler.run(),
    (time) => {
      gateway.answerPings();
      gateway.tickEach(time, Math.max(1, Math.floor(LARGE / Math.max(1, changed))), changed);
      clock.advance(INTERVAL + STEP);
    },
  );
  // The last changes may not be sent yet. A scan that takes several flushes is not measured.
  const sent = context.counts.ticksOut - ticksBefore;
  if (sent < (SCANS * ROUNDS - 1) * changed) throw new Error(`only ${sent} ticks were sent`);
  return nanos;
}

/** Maintenance of one session, nanoseconds. */
function maintenanceCost(): number {
  const gateway = new MemoryGateway(SYMBOLS);
  for (let connection = 0; connection < CONNECTIONS; connection++) gateway.connect(symbolsOf(connection), INTERVAL);
  gateway.answerPings();
  return timed(200, () => gateway.maintain()) / CONNECTIONS;
}

const { shared, codec } = compareWithCodec();
say(
  `${CONNECTIONS} connections × ${PER_CONNECTION} of ${SYMBOLS} symbols, 20000 ticks/s, ${INTERVAL} ms, without sockets`,
);
say(`shared bytes      ${shared.tick.toFixed(0)} ns per tick, ${(shared.frame / 1_000).toFixed(2)} µs per frame`);
say(`codec per client  ${codec.tick.toFixed(0)} ns per tick, ${(codec.frame / 1_000).toFixed(2)} µs per frame`);
say(`ratio             the codec takes ${(codec.tick / shared.tick).toFixed(1)} times as long per tick`);
say(`\na scan of a subscription of ${LARGE} symbols`);
// More would not fit into one frame within the in-flight window.
for (const changed of [0, 50, 150])
  say(`${String(changed).padStart(6)} changed  ${(largeScan(changed) / 1_000).toFixed(1)} µs`);
say(`\nmaintenance of a session, four times per second: ${maintenanceCost().toFixed(0)} ns`);
