/**
 * A page in Prometheus' text format. The values are read from plain numbers and our own histograms at each scrape, so
 * that a metric costs nothing on the hot path.
 */
import { Counter, collectDefaultMetrics, Gauge, type MetricConfiguration, Registry } from "prom-client";
import type { Histogram } from "../../base/histogram.ts";
import { histogramText } from "./text.ts";

/**
 * Metrics of prom-client that are left out: they break Prometheus' naming conventions, and others have the same values.
 */
const MISNAMED = [
  "nodejs_active_handles_total",
  "nodejs_active_requests_total",
  "nodejs_active_resources_total",
  "nodejs_eventloop_utilization_histogram",
  "nodejs_eventloop_utilization_summary",
];
/** The sampling interval of a metric that is left out, ms. */
const HARDLY_EVER = 86_400_000;

/** Values by label value; NaN for a label without a value now. */
export type Labelled = Iterable<readonly [value: string, number: number]>;

export class Page {
  readonly #registry = new Registry();
  readonly #labels: Readonly<Record<string, string>>;
  readonly #histograms: (() => string)[] = [];

  /** @param labels the labels of every sample */
  constructor(labels: Readonly<Record<string, string>>) {
    this.#labels = labels;
    this.#registry.setDefaultLabels(labels);
    const defaults = { register: this.#registry, eventLoopUtilizationTimeout: HARDLY_EVER };
    collectDefaultMetrics(defaults);
    for (const name of MISNAMED) this.#registry.removeSingleMetric(name);
  }

  /** @param read returns NaN when there is no value now */
  gauge(name: string, help: string, read: () => number): void {
    const gauge: Gauge<string> = new Gauge({
      ...this.#config(name, help),
      collect: () => {
        const value = read();
        if (Number.isNaN(value)) gauge.remove();
        else gauge.set(value);
      },
    });
  }

  counter(name: string, help: string, read: () => number): void {
    const counter: Counter<string> = new Counter({
      ...this.#config(name, help),
      collect: () => {
        counter.reset();
        counter.inc(read());
      },
    });
  }

  /** A gauge for each value of a label. */
  gauges(name: string, help: string, label: string, read: () => Labelled): void {
    const gauge: Gauge<string> = new Gauge({
      ...this.#config(name, help),
      labelNames: [label],
      collect: () => {
        gauge.reset();
        for (const [value, number] of read()) if (!Number.isNaN(number)) gauge.set({ [label]: value }, number);
      },
    });
  }

  /** A counter for each value of a label. */
  counters(name: string, help: string, label: string, read: () => Labelled): void {
    this.countersBy(name, help, [label], function* () {
      for (const [value, number] of read()) yield [{ [label]: value }, number];
    });
  }

  /** A counter for each combination of several labels' values. */
  countersBy(
    name: string,
    help: string,
    labelNames: readonly string[],
    read: () => Iterable<readonly [labels: Record<string, string>, number: number]>,
  ): void {
    const counter: Counter<string> = new Counter({
      ...this.#config(name, help),
      labelNames: [...labelNames],
      collect: () => {
        counter.reset();
        for (const [labels, number] of read()) counter.inc(labels, number);
      },
    });
  }

  histogram(name: string, help: string, histogram: Histogram): void {
    this.#histograms.push(() => histogramText(name, help, [[this.#labels, histogram]]));
  }

  /** A histogram for each value of a label. */
  histograms(name: string, help: string, label: string, read: () => Iterable<readonly [string, Histogram]>): void {
    this.#histograms.push(() => {
      const labelled = Array.from(
        read(),
        ([value, histogram]) => [{ ...this.#labels, [label]: value }, histogram] as const,
      );
      return histogramText(name, help, labelled);
    });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The current page. */
  async body(): Promise<string> {
    const own = await this.#registry.metrics();
    return [own, ...this.#histograms.map((text) => text())].join("\n");
  }

  #config(name: string, help: string): MetricConfiguration<string> & { registers: Registry[] } {
    return { name, help, registers: [this.#registry] };
  }
}
