/**
 * The metrics page of a process. It has the metrics of each part of the process; no label is per symbol or per client.
 */
import type { Bus } from "../../bus/open.ts";
import type { RunningFeed } from "../../feed/running_feed.ts";
import type { Gateway } from "../../gateway/gateway.ts";
import type { TlsCertificate } from "../../gateway/http/tls_certificate.ts";
import type { RunningAuthority } from "../../identity/authority.ts";
import type { Settings } from "../../settings/settings.ts";
import type { AdminAccess } from "../access.ts";
import { showHeard, showRedis, showWriters } from "./bus.ts";
import { showFeeds } from "./feeds.ts";
import { showGateway } from "./gateway.ts";
import { showIdentity } from "./identity.ts";
import { Page } from "./page.ts";
import { showProcess } from "./process.ts";
import { showCertificate } from "./tls.ts";

/** The response with a page. */
export interface MetricsPage {
  readonly contentType: string;
  readonly body: string;
}

/** The parts of a server process that have metrics. */
export interface MetricsParts {
  readonly settings: Settings;
  readonly access: AdminAccess;
  readonly bus: Bus;
  readonly gateway: Gateway | undefined;
  readonly certificate: TlsCertificate | undefined;
  /** Of the gateway. */
  readonly identity: RunningAuthority | undefined;
  /** ms of the process's clock */
  readonly now: () => number;
  readonly feeds: readonly RunningFeed[];
  /** Why the process is not ready, or undefined when it is. */
  unready(): string | undefined;
  /** The labels of every sample: the worker, when there are several. */
  readonly labels: Readonly<Record<string, string>>;
}

/** @returns a function that creates the page */
export function createMetrics(parts: MetricsParts): () => Promise<MetricsPage> {
  if (!parts.settings.metrics) return async () => NO_METRICS;
  const { access, bus, certificate, gateway, feeds } = parts;
  const page = new Page(parts.labels);
  showProcess(page, () => parts.unready());
  showCertificate(page, certificate);
  showRefused(page, () => access.refused);
  if (gateway) {
    showGateway(page, gateway, bus, parts.settings.maxConnections);
    if (parts.identity) showIdentity(page, gateway, parts.identity, parts.now);
    showHeard(page, bus);
  }
  if (feeds.length > 0) showFeeds(page, feeds);
  showWriters(page, bus);
  showRedis(page, bus);
  return () => made(page);
}

/** The page of a supervisor, without its workers. */
export function createSupervisorMetrics(
  settings: Settings,
  workers: { running(): number; restarts(): number; refused(): number },
): () => Promise<MetricsPage> {
  if (!settings.metrics) return async () => NO_METRICS;
  const page = new Page({ worker: "supervisor" });
  page.gauge("tickgate_workers", "Workers that are listening", () => workers.running());
  page.counter("tickgate_worker_restarts_total", "Workers that ended and were started again", () => workers.restarts());
  showRefused(page, () => workers.refused());
  return () => made(page);
}

function showRefused(page: Page, read: () => number): void {
  page.counter("tickgate_admin_refused_total", "Requests at the admin port without a token that is known", read);
}

const NO_METRICS: MetricsPage = {
  contentType: "text/plain; version=0.0.4; charset=utf-8",
  body: "# Metrics are off (--no-metrics).\n",
};

async function made(page: Page): Promise<MetricsPage> {
  return { contentType: page.contentType, body: await page.body() };
}
