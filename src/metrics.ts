/**
 * The metrics page. The hot paths count in plain numbers; they are handed to prom-client when somebody asks, so that
 * a tick never pays for a metric. No label is per symbol or per client.
 */
import { Counter, collectDefaultMetrics, Gauge, type MetricConfiguration, Registry } from "prom-client";
import type { Bus } from "./bus/open.ts";
import type { RedisWriter, WriterCounts } from "./bus/redis_writer.ts";
import type { ReaderCounts } from "./bus/shard_follower.ts";
import type { FeedCounts } from "./feed/publisher.ts";
import type { AgeHistogram, GatewayCounts } from "./gateway/counts.ts";
import type { Gateway } from "./gateway/gateway.ts";

export class Metrics {
  readonly #registry = new Registry();
  /** Histograms are written by hand: prom-client's own takes one observation at a time. */
  readonly #histograms: { name: string; help: string; histogram: AgeHistogram }[] = [];

  readonly #labels: Readonly<Record<string, string>>;

  /** @param labels what every sample is labelled with: which of several processes it is of */
  constructor(labels: Readonly<Record<string, string>> = {}) {
    this.#labels = labels;
    this.#registry.setDefaultLabels(labels);
    collectDefaultMetrics({ register: this.#registry });
  }

  /** Shows the supervisor of several workers. */
  supervisor(workers: { running(): number; restarts(): number }): void {
    this.#gauge("tickgate_workers", "Workers that are listening", () => workers.running());
    this.#counter("tickgate_worker_restarts_total", "Workers that ended and were started again", () =>
      workers.restarts(),
    );
  }

  /** Shows a gateway. */
  gateway(gateway: Gateway): void {
    const { counts, table, pacer, encoders } = gateway;
    this.#gauge("tickgate_connections", "Open connections", () => counts.connections);
    this.#gauge("tickgate_subscriptions", "Symbols held by connections", () => counts.subscriptions);
    this.#gauge("tickgate_symbols", "Symbols that have had a tick", () => table.knownCount);
    this.#gauge("tickgate_awaited_symbols", "Symbols that are waited for", () => table.awaitedRows);
    this.#gauge("tickgate_pacer_waiting", "Subscriptions whose turn has come", () => pacer.waiting);
    this.#gauge("tickgate_pacer_lag_seconds", "How late the last turn was", () => pacer.lag / 1_000);
    this.#gauge("tickgate_field_lists", "Field lists whose encoded ticks are shared", () => encoders.size);
    for (const [name, help, read] of GATEWAY_COUNTERS) this.#counter(name, help, () => read(counts));
    this.#labelled("tickgate_errors_total", "Error messages sent, by code", "code", () => counts.errors);
    this.#labelled("tickgate_closes_total", "Connections closed by the gateway, by code", "code", () => counts.closes);
    this.#labelled("tickgate_refused_total", "Upgrades refused, by reason", "reason", () => counts.refused);
    for (const [name, help, read] of GATEWAY_HISTOGRAMS) this.#histograms.push({ name, help, histogram: read(counts) });
  }

  /** Shows what the process holds of the bus; only Redis has something to show. */
  bus(bus: Bus): void {
    const heard = bus.readerCounts();
    const writers = bus.writers();
    if (!heard && writers.size === 0) return;
    this.#gauge("tickgate_bus_connected", "Whether Redis is connected", () => (bus.unready() === undefined ? 1 : 0));
    if (heard) for (const [name, help, read] of READER_COUNTERS) this.#counter(name, help, () => read(heard));
    const byFeed = (read: (writer: RedisWriter) => number) => () =>
      Object.fromEntries(Array.from(writers, ([feed, writer]) => [feed, read(writer)]));
    if (writers.size === 0) return;
    this.#labelledGauge("tickgate_feed_leading", "Whether this publisher leads the feed", "feed", byFeed(leads));
    for (const [name, help, read] of WRITER_COUNTERS)
      this.#labelled(
        name,
        help,
        "feed",
        byFeed((writer) => read(writer.counts)),
      );
  }

  /** Shows the feeds of this process, by name. */
  feeds(feeds: ReadonlyMap<string, FeedCounts>): void {
    this.#labelled("tickgate_feed_ticks_total", "Ticks that the feed made", "feed", () =>
      Object.fromEntries(Array.from(feeds, ([name, counts]) => [name, counts.ticks])),
    );
    const skipped: Counter<string> = new Counter({
      ...this.#config("tickgate_feed_skipped_total", "Messages of the source that were left out, by reason"),
      labelNames: ["feed", "reason"],
      collect: () => {
        skipped.reset();
        for (const [feed, counts] of feeds)
          for (const [reason, count] of Object.entries(counts.skipped)) skipped.inc({ feed, reason }, count);
      },
    });
  }

  /** The page in Prometheus' text format. */
  async page(): Promise<{ contentType: string; body: string }> {
    const histograms = this.#histograms.map(({ name, help, histogram }) =>
      histogramText(name, help, this.#labels, histogram),
    );
    return {
      contentType: this.#registry.contentType,
      body: [await this.#registry.metrics(), ...histograms].join("\n"),
    };
  }

  #gauge(name: string, help: string, read: () => number): void {
    const gauge: Gauge<string> = new Gauge({ ...this.#config(name, help), collect: () => gauge.set(read()) });
  }

  #counter(name: string, help: string, read: () => number): void {
    const counter: Counter<string> = new Counter({
      ...this.#config(name, help),
      collect: () => {
        counter.reset();
        counter.inc(read());
      },
    });
  }

  #labelled(name: string, help: string, label: string, read: () => Readonly<Record<string, number>>): void {
    const counter: Counter<string> = new Counter({
      ...this.#config(name, help),
      labelNames: [label],
      collect: () => {
        counter.reset();
        for (const [value, count] of Object.entries(read())) counter.inc({ [label]: value }, count);
      },
    });
  }

  #labelledGauge(name: string, help: string, label: string, read: () => Readonly<Record<string, number>>): void {
    const gauge: Gauge<string> = new Gauge({
      ...this.#config(name, help),
      labelNames: [label],
      collect: () => {
        for (const [value, number] of Object.entries(read())) gauge.set({ [label]: value }, number);
      },
    });
  }

  #config(name: string, help: string): MetricConfiguration<string> & { registers: Registry[] } {
    return { name, help, registers: [this.#registry] };
  }
}

function leads(writer: RedisWriter): number {
  return writer.role === "leading" ? 1 : 0;
}

type Read<C, T> = readonly [name: string, help: string, read: (counts: C) => T];

const READER_COUNTERS: readonly Read<ReaderCounts, number>[] = [
  ["tickgate_bus_batches_in_total", "Batches heard", (c) => c.batches],
  ["tickgate_bus_bytes_in_total", "Bytes of batches heard", (c) => c.bytes],
  ["tickgate_bus_gaps_total", "Times that batches were missing", (c) => c.gaps],
  ["tickgate_bus_reads_total", "Times that a shard was read from the last-value store", (c) => c.reads],
  ["tickgate_bus_malformed_total", "Batches and values that could not be read", (c) => c.malformed],
  ["tickgate_bus_mismatched_total", "Batches of feeds with another number of shards", (c) => c.mismatched],
];

const WRITER_COUNTERS: readonly Read<WriterCounts, number>[] = [
  ["tickgate_bus_batches_out_total", "Batches written, heartbeats among them", (c) => c.batches],
  ["tickgate_bus_records_out_total", "Records written", (c) => c.records],
  ["tickgate_bus_bytes_out_total", "Bytes of batches written", (c) => c.bytes],
  ["tickgate_bus_failures_total", "Writes that failed and were tried again", (c) => c.failures],
  ["tickgate_bus_healed_total", "Times that Redis had lost its values and was given them again", (c) => c.healed],
  ["tickgate_bus_deposed_total", "Times that another publisher was found to lead", (c) => c.deposed],
];

const GATEWAY_COUNTERS: readonly Read<GatewayCounts, number>[] = [
  ["tickgate_connections_opened_total", "Connections opened", (c) => c.connectionsOpened],
  ["tickgate_ticks_in_total", "Ticks that publishers counted", (c) => c.ticksIn],
  ["tickgate_records_in_total", "Records that the bus delivered", (c) => c.recordsIn],
  ["tickgate_records_ignored_total", "Records that were older than what was known", (c) => c.recordsIgnored],
  ["tickgate_records_refused_total", "Records of symbols that found the market table full", (c) => c.recordsRefused],
  ["tickgate_gaps_total", "Symbols that missed ticks and were healed", (c) => c.gaps],
  ["tickgate_resets_total", "Symbols whose seq went back", (c) => c.resets],
  ["tickgate_ticks_out_total", "Ticks sent", (c) => c.ticksOut],
  ["tickgate_ticks_conflated_total", "Ticks left out since a newer one replaced them", (c) => c.ticksConflated],
  ["tickgate_frames_out_total", "Data frames sent", (c) => c.framesOut],
  ["tickgate_bytes_out_total", "Bytes of messages sent", (c) => c.bytesOut],
  ["tickgate_control_out_total", "Control messages sent", (c) => c.controlOut],
  ["tickgate_pings_out_total", "Pings sent", (c) => c.pingsOut],
  ["tickgate_held_back_total", "Turns that found the arrival window full", (c) => c.heldBack],
  ["tickgate_commands_total", "Messages from clients", (c) => c.commands],
];

const GATEWAY_HISTOGRAMS: readonly Read<GatewayCounts, AgeHistogram>[] = [
  ["tickgate_inbound_age_seconds", "From the source's event time to the market table, a tick", (c) => c.inboundAge],
  [
    "tickgate_held_age_seconds",
    "From the market table to the socket, a tick sent, snapshots not counted",
    (c) => c.heldAge,
  ],
  [
    "tickgate_written_age_seconds",
    "From the source's event time to the socket, a tick sent, snapshots not counted",
    (c) => c.writtenAge,
  ],
  ["tickgate_round_trip_seconds", "From a ping to its pong, with all that was before it", (c) => c.roundTrip],
];

/** https://prometheus.io/docs/instrumenting/exposition_formats/ */
function histogramText(
  name: string,
  help: string,
  labels: Readonly<Record<string, string>>,
  histogram: AgeHistogram,
): string {
  const own = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  const bucket = (bound: string) => `${name}_bucket{${[...own, `le="${bound}"`].join(",")}}`;
  const suffix = own.length > 0 ? `{${own.join(",")}}` : "";
  const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`];
  let total = 0;
  histogram.counts.forEach((count, index) => {
    total += count;
    if (index < histogram.counts.length - 1) lines.push(`${bucket(String(2 ** index / 1_000_000))} ${total}`);
  });
  lines.push(`${bucket("+Inf")} ${total}`);
  lines.push(`${name}_sum${suffix} ${histogram.sum / 1_000_000}`, `${name}_count${suffix} ${total}`);
  return `${lines.join("\n")}\n`;
}
