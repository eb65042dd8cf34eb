/**
 * Merges the metrics pages of several processes. In Prometheus' text format all lines of a metric are together under
 * one HELP and TYPE (https://prometheus.io/docs/instrumenting/exposition_formats/); the samples differ by their
 * `worker` label.
 */
export function mergePages(pages: readonly string[]): string {
  const metrics = new Map<string, { head: string[]; samples: string[] }>();
  for (const page of pages) {
    let current: { head: string[]; samples: string[] } | undefined;
    let first = false;
    for (const line of page.split("\n")) {
      if (line === "") continue;
      const [, keyword, name] = /^# (HELP|TYPE) (\S+)/.exec(line) ?? [];
      if (name !== undefined) {
        first = keyword === "HELP" ? !metrics.has(name) : first;
        current = metrics.get(name) ?? { head: [], samples: [] };
        metrics.set(name, current);
        if (first) current.head.push(line);
      } else current?.samples.push(line);
    }
  }
  return Array.from(metrics.values(), ({ head, samples }) => `${[...head, ...samples].join("\n")}\n`).join("\n");
}
