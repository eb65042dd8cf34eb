/**
 * Measures the Redis bus: a publisher process writes 100,000 ticks/s of 5,000 symbols to its own Redis; one, then three
 * gateway processes read them. Prints the CPU per tick of each process, and the publisher's CPU with 3 gateways
 * relative to 1.
 *
 *     npx node loadtest/bench/bus.ts [--rate 100000] [--symbols 5000] [--seconds 10] [--shards N]
 */
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { pino } from "pino";
import { SystemClock } from "../../src/base/clock.ts";
import { openBus } from "../../src/bus/open.ts";
import { Publisher } from "../../src/feed/publisher.ts";
import { GatewayTable } from "../../src/market/gateway_table.ts";
import { PublisherTable } from "../../src/market/publisher_table.ts";
import { SETTINGS } from "../../src/settings/settings.ts";

/** What a process has done since the last request. */
interface Usage {
  readonly cpuMicros: number;
  readonly ticks: number;
  readonly records: number;
  readonly batches: number;
  readonly bytes: number;
  /** From the publisher's batch to the gateway's table, milliseconds: p50 and p99. */
  readonly age: readonly [number, number];
  readonly gaps: number;
}

interface Load {
  readonly url: string;
  readonly rate: number;
  readonly symbols: number;
  readonly shards: number;
}

const clock = new SystemClock();
const log = pino({ level: "warn" }, pino.destination(2));

function settings({ url, shards }: Load) {
  return {
    redisUrl: url,
    redisUsername: "",
    redisPassword: "",
    redisCa: "",
    redisPrefix: SETTINGS.redisPrefix.default,
    busShards: shards,
    busSilence: SETTINGS.busSilence.default,
    busLinger: SETTINGS.busLinger.default,
    metrics: SETTINGS.metrics.default,
    clockSkewWarning: SETTINGS.clockSkewWarning.default,
    node: "bench",
  };
}

/** The publisher process: each timer publishes the ticks that are due by the clock. */
async function publish(load: Load): Promise<void> {
  const { rate, symbols } = load;
  const bus = openBus(settings(load), clock, log);
  const table = new PublisherTable(symbols);
  const writer = bus.writer("BENCH");
  const publisher = new Publisher(table, writer, clock);
  await writer.start(table);
  const names = Array.from({ length: symbols }, (_, index) => `SIM:S${index}-USD`);
  const patch = {
    bid: 0,
    bidSize: 0,
    ask: 0,
    askSize: 0,
    last: 0,
    lastSize: 0,
    open: 99.5,
    high: 110.25,
    low: 90.75,
    volume: 0,
  };
  const from = performance.now();
  let sent = 0;
  setInterval(() => {
    const due = Math.floor(((performance.now() - from) * rate) / 1_000);
    // Too slow for the rate: skips what is more than 1 s overdue.
    if (due - sent > rate) sent = due - rate;
    for (; sent < due; sent++) {
      const price = 100 + (sent % 997) / 100;
      patch.bid = price - 0.01;
      patch.ask = price + 0.01;
      patch.last = price;
      patch.bidSize = sent % 50;
      patch.askSize = sent % 70;
      patch.lastSize = sent % 30;
      patch.volume = sent * 1.25;
      publisher.tick(names[sent % symbols], patch, clock.micros());
    }
  }, 1);
  const totals = () => {
    const counts = bus.writers().get("BENCH")?.counts;
    const { records = 0, batches = 0, bytes = 0 } = counts ?? {};
    return { ticks: publisher.counts.ticks, records, batches, bytes, gaps: 0 };
  };
  reportOnRequest(totals, () => [0, 0]);
}

/** A gateway process: applies all records to a market table. */
async function receive(load: Load): Promise<void> {
  const bus = openBus(settings(load), clock, log);
  const table = new GatewayTable(load.symbols);
  const reader = bus.reader();
  let ages: number[] = [];
  let records = 0;
  let newest = 0;
  reader.follow();
  await reader.start({
    record(record) {
      table.apply(record);
      records++;
      newest = record.eventTime;
      return -1;
    },
    batchEnd() {
      if (newest > 0) ages.push((clock.micros() - newest) / 1_000);
      newest = 0;
    },
    silent() {},
    speaking() {},
  });
  const totals = () => {
    const { batches = 0, bytes = 0, gaps = 0 } = bus.readerCounts() ?? {};
    return { ticks: records, records, batches, bytes, gaps };
  };
  reportOnRequest(totals, () => {
    const sorted = Float64Array.from(ages).sort();
    ages = [];
    return [sorted[sorted.length >> 1], sorted[Math.floor(sorted.length * 0.99)]];
  });
}

function reportOnRequest(totals: () => Omit<Usage, "cpuMicros" | "age">, age: () => readonly [number, number]): void {
  let before = totals();
  let cpu = process.cpuUsage();
  process.on("message", () => {
    const now = totals();
    const used = process.cpuUsage(cpu);
    cpu = process.cpuUsage();
    process.send?.({
      cpuMicros: used.user + used.system,
      ticks: now.ticks - before.ticks,
      records: now.records - before.records,
      batches: now.batches - before.batches,
      bytes: now.bytes - before.bytes,
      gaps: now.gaps - before.gaps,
      age: age(),
    });
    before = now;
  });
  process.on("disconnect", () => process.exit());
}

async function requestUsage(process: ChildProcess): Promise<Usage> {
  process.send("usage");
  return (await once(process, "message"))[0] as Usage;
}

function start(role: string, load: Load): ChildProcess {
  return fork(import.meta.filename, ["--role", role, "--load", JSON.stringify(load)]);
}

/** CPU seconds that a process has used, from /proc. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function measure(load: Load, seconds: number): Promise<void> {
  const out = (line: string) => process.stdout.write(`${line}\n`);
  const dir = mkdtempSync(join(tmpdir(), "tickgate-bench-"));
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as { port: number };
  probe.close();
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", dir];
  const server = spawn("redis-server", args, { stdio: "ignore" });
  server.on("error", () => {
    process.stderr.write("redis-server is missing: apt-get install redis-server\n");
    process.exit(1);
  });
  const run = { ...load, url: `redis://127.0.0.1:${port}` };
  const publisher = start("publisher", run);
  const gateways: ChildProcess[] = [];
  const costs: number[] = [];
  try {
    out(`${load.rate} ticks/s of ${load.symbols} symbols on ${load.shards} shards, ${seconds} s each\n`);
    for (const count of [1, 3]) {
      while (gateways.length < count) gateways.push(start("gateway", run));
      await wait(3_000);
      await Promise.all([publisher, ...gateways].map(requestUsage));
      const redisBefore = cpuOf(server.pid as number);
      const from = performance.now();
      await wait(seconds * 1_000);
      const [sent, ...taken] = await Promise.all([publisher, ...gateways].map(requestUsage));
      const millis = performance.now() - from;
      const redis = cpuOf(server.pid as number) - redisBefore;
      costs.push(sent.cpuMicros / sent.ticks);
      out(`${count} gateway${count > 1 ? "s" : ""}`);
      out(`  publisher  ${describe(sent, millis)}, ${(sent.records / sent.batches).toFixed(1)} ticks per batch`);
      for (const one of taken)
        out(
          `  gateway    ${describe(one, millis)}, age ${one.age.map((age) => age.toFixed(1)).join(" / ")} ms (p50 / p99), ${one.gaps} gaps`,
        );
      out(
        `  redis      ${((redis / millis) * 100_000).toFixed(0)} % of a core, ${((redis * 1e6) / sent.records).toFixed(2)} µs per tick`,
      );
    }
    out(`\npublisher's CPU per tick, 3 gateways relative to 1: ${(costs[1] / costs[0]).toFixed(2)}`);
  } finally {
    for (const child of [publisher, ...gateways, server]) child.kill("SIGKILL");
    rmSync(dir, { recursive: true, force: true });
  }
}

function describe(usage: Usage, millis: number): string {
  const perSecond = Math.round((usage.ticks / millis) * 1_000);
  const records = Math.round((usage.records / millis) * 1_000);
  const core = (usage.cpuMicros / millis / 10).toFixed(0);
  return `${perSecond} ticks/s (${records} on the bus), ${(usage.cpuMicros / usage.ticks).toFixed(2)} µs per tick, ${core} % of a core`;
}

function wait(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}

const { values } = parseArgs({
  options: {
    rate: { type: "string", default: "100000" },
    symbols: { type: "string", default: "5000" },
    seconds: { type: "string", default: "10" },
    shards: { type: "string", default: String(SETTINGS.busShards.default) },
    role: { type: "string" },
    load: { type: "string" },
  },
});
if (values.role === "publisher") await publish(JSON.parse(values.load ?? "{}"));
else if (values.role === "gateway") await receive(JSON.parse(values.load ?? "{}"));
else {
  const [rate, symbols, shards] = [values.rate, values.symbols, values.shards].map(Number);
  await measure({ url: "", rate, symbols, shards }, Number(values.seconds));
}
