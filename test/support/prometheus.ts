/** A real Prometheus that scrapes a cluster, with the jobs and rules of config/prometheus.yml. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import type { Cluster } from "../../scripts/cluster/cluster.ts";
import { answersOk, freePorts } from "../../scripts/cluster/probe.ts";
import { ROOT, readYaml } from "./compose.ts";

/** The longest time of a query, in milliseconds: long enough for a busy machine. */
const QUESTION_TIME = 10_000;

interface Config {
  global: Record<string, string>;
  rule_files: string[];
  scrape_configs: { job_name: string; static_configs: { targets: string[]; labels?: Record<string, string> }[] }[];
}

/** One series of a result. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** An active alert; `pending` until its condition has held for its time. */
export interface Alert {
  readonly name: string;
  readonly state: "pending" | "firing";
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export class Prometheus {
  readonly #url: string;

  private constructor(url: string) {
    this.#url = url;
  }

  /**
   * Starts one that ends with the cluster.
   * @param interval of scrapes and evaluations, as Prometheus writes it; by default as configured
   */
  static async start(cluster: Cluster, interval?: string): Promise<Prometheus> {
    const [port] = await freePorts(1);
    const file = join(cluster.folder, "prometheus.yml");
    writeFileSync(file, stringify(configure(cluster, interval)));
    const url = `http://127.0.0.1:${port}`;
    const part = cluster.add({
      name: "prometheus",
      program: "prometheus",
      package: "prometheus",
      args: [
        `--config.file=${file}`,
        `--storage.tsdb.path=${join(cluster.folder, "prometheus")}`,
        `--web.listen-address=127.0.0.1:${port}`,
        "--log.level=warn",
      ],
      log: "stderr",
      ready: () => answersOk(`${url}/-/ready`),
      stopSignal: "SIGTERM",
      stopTime: 5_000,
    });
    await part.start();
    return new Prometheus(url);
  }

  /**
   * The present value of an expression.
   * @throws Error with Prometheus' message if it is invalid
   */
  async query(expression: string): Promise<Series[]> {
    const { result } = await this.#ask<{ result: { metric: Record<string, string>; value: [number, string] }[] }>(
      `query?query=${encodeURIComponent(expression)}`,
      expression,
    );
    return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
  }

  /** The value of an expression with one result; NaN without one. */
  async number(expression: string): Promise<number> {
    const [series] = await this.query(expression);
    return series?.value ?? Number.NaN;
  }

  /** The values of a label; only of one metric's series if it is given. */
  async values(label: string, metric?: string): Promise<string[]> {
    const match = metric === undefined ? "" : `?match[]=${encodeURIComponent(metric)}`;
    return this.#ask(`label/${label}/values${match}`, label);
  }

  /** The active alerts. */
  async alerts(): Promise<Alert[]> {
    const { alerts } = await this.#ask<{ alerts: (Omit<Alert, "name"> & { labels: { alertname: string } })[] }>(
      "alerts",
      "alerts",
    );
    return alerts.map(({ state, labels, annotations }) => ({ name: labels.alertname, state, labels, annotations }));
  }

  async #ask<T>(path: string, what: string): Promise<T> {
    const response = await fetch(`${this.#url}/api/v1/${path}`, { signal: AbortSignal.timeout(QUESTION_TIME) });
    const answer = (await response.json()) as { status: string; error?: string; data: T };
    if (answer.status !== "success") throw new Error(`${answer.error}: ${what}`);
    return answer.data;
  }
}

/** The configuration, with the addresses of the processes replaced. */
function configure(cluster: Cluster, interval: string | undefined): Config {
  const config = readYaml<Config>("config/prometheus.yml");
  const addresses: Record<string, string> = { haproxy: cluster.adminUrl };
  for (const [index, { name }] of cluster.gateways.entries()) addresses[name] = cluster.gatewayAdminUrl(index);
  for (const [index, { name }] of cluster.feeds.entries()) addresses[name] = cluster.feedAdminUrl(index);
  return {
    global: interval
      ? { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval }
      : config.global,
    rule_files: config.rule_files.map((path) => join(ROOT, "config", path)),
    scrape_configs: config.scrape_configs.map(({ job_name, static_configs }) => ({
      job_name,
      static_configs: static_configs.flatMap(({ targets }) =>
        targets.map((target) => ({
          targets: [new URL(addresses[target.split(":")[0]]).host],
          labels: { instance: target },
        })),
      ),
    })),
  };
}
