/** The page of the comparison: its tables are written between markers, everything else is a person's. */

import { offered, type Scenario } from "../scenarios.ts";
import { chart } from "./chart.ts";
import { short } from "./numbers.ts";
import { type Comparison, rowsOf } from "./results.ts";
import { table } from "./table.ts";

const BEGIN = "<!-- results: npm run bench:peers -- --document -->";
const IMAGE = "![Fresh updates, CPU and age of each](comparison.svg)";
const END = "<!-- /results -->";

/** The page with other results. @throws Error when it has no markers */
export function withResults(page: string, comparison: Comparison): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error("the page has no markers to put the results between");
  return `${page.slice(0, begin + BEGIN.length)}\n\n${IMAGE}\n\n${results(comparison)}\n\n${page.slice(end)}`;
}

/** The results in Markdown. */
export function results(comparison: Comparison): string {
  const { date, machine, rounds, seconds, warmSeconds, peers, scenarios } = comparison;
  const tookPart = peers.filter(({ missing }) => missing === undefined);
  const parts = [
    `${date}; ${machine}. ${rounds} rounds of ${seconds} s each, ${warmSeconds} s after everybody was there; medians, in parentheses the spread.`,
    ...scenarios.map((scenario) => `### ${heading(scenario)}\n\n${table(rowsOf(comparison, scenario.name))}`),
    `### Versions and use\n\n${tookPart.map(({ title, version, use }) => `- **${title}** ${version}: ${use}`).join("\n")}`,
    ...peers.flatMap(({ title, missing }) => (missing === undefined ? [] : [`${title} did not take part: ${missing}`])),
  ];
  return parts.join("\n\n");
}

/** The picture: the scenarios without slow readers, the peers that are no variants. */
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

function heading(scenario: Scenario): string {
  return `${scenario.title}: ${size(scenario)}`;
}

function size(scenario: Scenario): string {
  const { connections, perConnection, symbols, rate } = scenario;
  const market = `${short(connections)} connections × ${perConnection} of ${short(symbols)} symbols, ${short(rate)} ticks/s`;
  return `${market}; ${short(offered(scenario))} updates/s to deliver`;
}
