/**
 * Histograms as Prometheus reads them (https://prometheus.io/docs/instrumenting/exposition_formats/). They are written
 * here because those of prom-client accept only single observations.
 */
import { BOUNDS, type Histogram } from "../../base/histogram.ts";

const SECOND = 1_000_000;
const BUCKETS = [...BOUNDS.map((bound) => String(bound / SECOND)), "+Inf"];

/** The lines of one metric: a histogram for each set of labels. */
export function histogramText(
  name: string,
  help: string,
  histograms: Iterable<readonly [labels: Readonly<Record<string, string>>, histogram: Histogram]>,
): string {
  const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`];
  for (const [labels, { counts, sum }] of histograms) {
    const own = Object.entries(labels).map(([label, value]) => `${label}="${escapeValue(value)}"`);
    const open = own.map((label) => `${label},`).join("");
    const suffix = own.length > 0 ? `{${own.join(",")}}` : "";
    let total = 0;
    for (let bucket = 0; bucket < counts.length; bucket++) {
      total += counts[bucket];
      lines.push(`${name}_bucket{${open}le="${BUCKETS[bucket]}"} ${total}`);
    }
    lines.push(`${name}_sum${suffix} ${sum / SECOND}`, `${name}_count${suffix} ${total}`);
  }
  return `${lines.join("\n")}\n`;
}

/** Escapes a label value: a feed's name may be any text. */
function escapeValue(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
