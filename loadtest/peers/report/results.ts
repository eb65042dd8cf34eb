/** The runs of all rounds; for each peer and scenario the median of each value, and its spread. */

import type { RunResult } from "../run.ts";
import type { Scenario } from "../scenarios.ts";

/** One run, or why it failed. */
export interface Run {
  readonly peer: string;
  readonly scenario: string;
  /** From 1. */
  readonly round: number;
  readonly result?: RunResult;
  readonly failure?: string;
}

/** A peer, for the tables. */
export interface PeerEntry {
  readonly name: string;
  readonly title: string;
  readonly isVariant: boolean;
  readonly use: string;
  readonly version: string;
  /** Why it was not measured. */
  readonly missing?: string;
}

/** All results: written as JSON, and the source of the page. */
export interface Comparison {
  readonly date: string;
  /** Processor, cores, system, Node. */
  readonly machine: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly warmSeconds: number;
  readonly freshBound: number;
  readonly slowBytes: number;
  readonly scenarios: readonly Scenario[];
  readonly peers: readonly PeerEntry[];
  readonly runs: readonly Run[];
}

/** Reads results from JSON, which has null in place of NaN and infinity. */
export function readComparison(json: string): Comparison {
  return JSON.parse(json, (_, value) => (value === null ? Number.NaN : value)) as Comparison;
}

/** A value over the rounds. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

type Metric = { [K in keyof RunResult]: RunResult[K] extends number ? K : never }[keyof RunResult];

/** One peer at one scenario, over the rounds. */
export class Row {
  readonly peer: PeerEntry;
  readonly results: readonly RunResult[];
  /** Why runs failed, each reason once. */
  readonly failures: readonly string[];

  constructor(peer: PeerEntry, turns: readonly Run[]) {
    this.peer = peer;
    this.results = turns.flatMap(({ result }) => (result ? [result] : []));
    this.failures = [...new Set(turns.flatMap(({ failure }) => (failure === undefined ? [] : [failure])))];
  }

  spread(metric: Metric): Spread {
    return spreadOf(this.results.map((result) => result[metric]));
  }

  median(metric: Metric): number {
    return this.spread(metric).median;
  }
}

/** The rows of a scenario, in the order of the peers; peers without a run are left out. */
export function rowsOf({ peers, runs: turns }: Comparison, scenario: string): Row[] {
  return peers
    .map(
      (peer) =>
        new Row(
          peer,
          turns.filter((turn) => turn.peer === peer.name && turn.scenario === scenario),
        ),
    )
    .filter(({ results, failures }) => results.length > 0 || failures.length > 0);
}

/** All NaN without values. The median of an even number of values is the mean of the middle two. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, least: sorted[0] ?? Number.NaN, most: sorted.at(-1) ?? Number.NaN };
}
