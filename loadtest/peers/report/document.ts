/** Writes the results into docs/comparison.md, between two markers. The rest of the page is written by hand. */

import { loadLabel, offered, type Scenario } from "../scenarios.ts";
import { chart } from "./chart.ts";
import { short } from "./numbers.ts";
import { type Comparison, rowsOf } from "./results.ts";
import { markdownTable, tables } from "./table.ts";

const BEGIN = "<!-- results: npm run bench:peers -- --document -->";
const IMAGE = "![Fresh updates, CPU and age of each server](comparison.svg)";
const END = "<!-- /results -->";

/** The page with new results. @throws Error when it has no markers */
export function withResults(page: string, comparison: Comparison): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error("the page has no markers to put the results between");
  return `${page.slice(0, begin + BEGIN.length)}\n\n${IMAGE}\n\n${results(comparison)}\n\n${page.slice(end)}`;
}

/** The results in Markdown. */
export function results(comparison: Comparison): string {
  const { date, machine, rounds, seconds, warmSeconds, peers, scenarios } = comparison;
  const measured = peers.filter(({ missing }) => missing === undefined);
  const parts = [
    `${date}; ${machine}. ${rounds} rounds of ${seconds} s each, ${warmSeconds} s after the last connection; medians.`,
    loadTable(scenarios),
    tables(comparison),
    `### Versions and configuration\n\n${measured.map(({ title, version, use }) => `- **${title}** ${version}: ${use}`).join("\n")}`,
    ...peers.flatMap(({ title, missing }) => (missing === undefined ? [] : [`${title} was not measured: ${missing}`])),
  ];
  return parts.join("\n\n");
}

/** The picture: the loads without slow clients, and the peers that are not variants. */
export function picture(comparison: Comparison): string {
  const blocks = comparison.scenarios
    .filter(({ slow }) => slow === 0)
    .map((scenario) => ({
      title: scenario.title,
      subtitle: size(scenario),
      rows: rowsOf(comparison, scenario.name).filter(({ peer, results }) => !peer.isVariant && results.length > 0),
    }));
  return chart(blocks);
}

function loadTable(scenarios: readonly Scenario[]): string {
  const rows = scenarios.map((scenario) => {
    const { connections, perConnection, symbols, rate } = scenario;
    const market = `${short(connections)} × ${perConnection} of ${short(symbols)}`;
    return [loadLabel(scenario), market, short(rate), short(offered(scenario))];
  });
  return markdownTable(["load", "connections × symbols", "ticks/s", "updates/s to deliver"], rows);
}

function size(scenario: Scenario): string {
  const { connections, perConnection, symbols, rate } = scenario;
  const market = `${short(connections)} connections × ${perConnection} of ${short(symbols)} symbols, ${short(rate)} ticks/s`;
  return `${market}; ${short(offered(scenario))} updates/s to deliver`;
}
