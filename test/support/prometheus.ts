/** A real Prometheus that asks the parts of a cluster, with the jobs and rules of config/prometheus.yml. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import type { Cluster } from "../../scripts/cluster/cluster.ts";
import { answersOk, freePorts } from "../../scripts/cluster/probe.ts";
import { ROOT, readYaml } from "./compose.ts";

/** How long one question may take, in milliseconds: generous, for a machine that builds something else meanwhile. */
const QUESTION_TIME = 10_000;

interface Config {
  global: Record<string, string>;
  rule_files: string[];
  scrape_configs: { job_name: string; static_configs: { targets: string[]; labels?: Record<string, string> }[] }[];
}

/** One series of an answer. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** An alert that holds; `pending` until it has held for its time. */
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
   * @param interval how often to ask and to evaluate, as Prometheus writes it; as configured when it is not given
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
   * Asks for the value of an expression now.
   * @throws Error with Prometheus' own words when it is wrong
   */
  async query(expression: string): Promise<Series[]> {
    const { result } = await this.#ask<{ result: { metric: Record<string, string>; value: [number, string] }[] }>(
      `query?query=${encodeURIComponent(expression)}`,
      expression,
    );
    return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
  }

  /** The one number that an expression comes to; NaN when it comes to none. */
  async number(expression: string): Promise<number> {
    const [series] = await this.query(expression);
    return series?.value ?? Number.NaN;
  }

  /** The values of a label; of one metric's series where one is named. */
  async values(label: string, metric?: string): Promise<string[]> {
    const match = metric === undefined ? "" : `?match[]=${encodeURIComponent(metric)}`;
    return this.#ask(`label/${label}/values${match}`, label);
  }

  /** The alerts that hold now. */
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

/** The configuration as it is, except for where the parts are. */
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
