/** The Grafana dashboards for tests, and what their panels show. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { ROOT, read } from "./compose.ts";
import type { Prometheus, Series } from "./prometheus.ts";

export interface Source {
  readonly type: string;
  readonly uid: string;
}

export interface Panel {
  readonly id: number;
  readonly title: string;
  readonly description?: string;
  readonly type: string;
  readonly datasource?: Source;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig?: {
    readonly defaults: {
      readonly unit?: string;
      /** The first step has no value: it applies below the second. */
      readonly thresholds?: { readonly steps: readonly { readonly color: string; readonly value: number | null }[] };
    };
  };
  readonly options?: { readonly reduceOptions?: { readonly calcs: readonly string[] } };
  readonly targets?: readonly {
    readonly refId: string;
    /** A query for the present, not for a time range. */
    readonly instant?: boolean;
    readonly expr: string;
    readonly legendFormat: string;
    readonly datasource: Source;
  }[];
}

export interface Variable {
  readonly name: string;
  readonly type: string;
  readonly query: string | { readonly query: string };
  readonly allValue?: string;
}

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly schemaVersion: number;
  readonly tags: readonly string[];
  readonly links: readonly { readonly type: string; readonly tags: readonly string[] }[];
  readonly templating: { readonly list: readonly Variable[] };
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
  readonly panels: readonly Panel[];
}

export const dashboards: readonly Dashboard[] = readdirSync(`${ROOT}dashboards`)
  .filter((name) => name.endsWith(".json"))
  .map((name) => JSON.parse(read(`dashboards/${name}`)) as Dashboard);

/**
 * An expression as Grafana sends it, with every variable at All.
 * @param rateInterval what Grafana inserts for `$__rate_interval`: at least four scrape intervals
 */
export function substituted(expression: string, variables: readonly Variable[], rateInterval: string): string {
  let text = expression.replaceAll("$__rate_interval", rateInterval);
  for (const { name, allValue } of variables) text = text.replaceAll(`$${name}`, allValue ?? "");
  assert.ok(!text.includes("$"), text);
  return text;
}

/** The series that are red now on a panel with one query. */
export async function redOn(
  prometheus: Prometheus,
  uid: string,
  title: string,
  rateInterval: string,
): Promise<readonly Series[]> {
  const dashboard = dashboards.find((each) => each.uid === uid);
  const panel = dashboard?.panels.find((each) => each.title === title);
  const [target] = panel?.targets ?? [];
  if (!dashboard || !target) throw new Error(`there is no panel ${title} on ${uid}`);
  const steps = panel?.fieldConfig?.defaults.thresholds?.steps ?? [];
  const isRed = (value: number) =>
    steps.findLast((step) => step.value === null || value >= step.value)?.color === "red";
  const shown = await prometheus.query(substituted(target.expr, dashboard.templating.list, rateInterval));
  return shown.filter(({ value }) => isRed(value));
}
