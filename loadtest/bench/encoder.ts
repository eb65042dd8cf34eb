/**
 * What the gateway does for a tick between the market table and the socket, without the socket: the pacer's turns, the
 * passes, the copies. Times differ between machines; what is compared is the ratio to a codec per client in the same
 * run. Besides, what the ways of finding what has changed cost, and the look at all sessions four times a second.
 *
 *     node loadtest/bench_encoder.ts
 */
import { CodecClients } from "./codec_clients.ts";
import { MemoryGateway } from "./memory_gateway.ts";

const SYMBOLS = 1_000;
const CONNECTIONS = 1_000;
const PER_CONNECTION = 50;
const INTERVAL = 100;
/** The pacer's step, ms, and the ticks in it at 20,000 a second. */
const STEP = 4;
const TICKS_PER_STEP = 80;
/** Intervals in a round. Of several rounds the best is told: the others had company. */
const INTERVALS = 20;
const ROUNDS = 5;
const LARGE = 10_000;
const SCANS = 50;
/** How often the gateway looks at its sessions, ms. */
const MAINTAIN_PERIOD = 250;

interface Cost {
  /** A tick, and a frame, nanoseconds. */
  tick: number;
  frame: number;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Nanoseconds that something takes: the best of some tries, each of several times. */
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

/** Of each round both ways have the same ticks to send, in turn. */
function compareWithCodec(): { shared: Cost; codec: Cost } {
  const gateway = new MemoryGateway(SYMBOLS);
  const { clock, context } = gateway;
  const { scheduler: pacer, counts, table } = context;
  const clients = new CodecClients(table);
  for (let connection = 0; connection < CONNECTIONS; connection++) {
    gateway.connect(symbolsOf(connection), INTERVAL);
    clients.connect(symbolsOf(connection).map((symbol) => table.rowOf(`SIM:S${String(symbol).padStart(4, "0")}`)));
  }
  const shared: Cost = { tick: Number.POSITIVE_INFINITY, frame: Number.POSITIVE_INFINITY };
  const codec: Cost = { ...shared };
  // The first round settles who has which turn.
  for (let round = 0; round <= ROUNDS; round++) {
    const before = { ticks: counts.ticksOut, frames: counts.framesOut, codecTicks: clients.ticks };
    let sharedMillis = 0;
    let codecMillis = 0;
    let packed = 0;
    for (let step = 0; step < (INTERVALS * INTERVAL) / STEP; step++) {
      gateway.ticks(TICKS_PER_STEP);
      clock.advance(STEP);
      const start = performance.now();
      pacer.run();
      const middle = performance.now();
      const turns = (CONNECTIONS * STEP) / INTERVAL;
      for (let turn = 0; turn < turns; turn++) clients.flush(packed++ % CONNECTIONS, clock.micros());
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

/** A pass of a real subscription to so many symbols of which `changed` have changed, nanoseconds. */
function largeScan(changed: number): number {
  const gateway = new MemoryGateway(LARGE);
  gateway.connect([...new Array(LARGE).keys()], INTERVAL);
  const { clock, context } = gateway;
  // Snapshots, and the first turns, whose time is drawn.
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
  // The last changes may be owed still; a pass that takes several turns is not what is measured.
  const told = context.counts.ticksOut - ticksBefore;
  if (told < (SCANS * ROUNDS - 1) * changed) throw new Error(`only ${told} ticks were told`);
  return nanos;
}

/** The look at one session, nanoseconds. */
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
say(`shared bytes      ${shared.tick.toFixed(0)} ns a tick, ${(shared.frame / 1_000).toFixed(2)} µs a frame`);
say(`codec per client  ${codec.tick.toFixed(0)} ns a tick, ${(codec.frame / 1_000).toFixed(2)} µs a frame`);
say(`ratio             the codec takes ${(codec.tick / shared.tick).toFixed(1)} times as long a tick`);
say(`\na pass of a subscription of ${LARGE} symbols`);
// More would not fit into one frame of the window that every connection has.
for (const changed of [0, 50, 150])
  say(`${String(changed).padStart(6)} changed  ${(largeScan(changed) / 1_000).toFixed(1)} µs`);
say(`\nthe look at a session, four times a second: ${maintenanceCost().toFixed(0)} ns`);
