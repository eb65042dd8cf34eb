/**
 * `npm run swarm`: many healthy, slow and stalled connections to a gateway, which check every promise on every tick.
 * Exit code 1 when a promise was broken, 2 when the command line is wrong or the run is not possible.
 */
import { writeFileSync } from "node:fs";
import { UsageError } from "../../src/settings/option.ts";
import { help, readOptions, type SwarmOptions } from "./options.ts";
import { reportOf, reportText } from "./report.ts";
import { runSwarm } from "./run.ts";

async function main(options: SwarmOptions): Promise<void> {
  const say = (text: string) => void (options.quiet || process.stderr.write(`${text}\n`));
  const report = reportOf(await runSwarm(options, say), options);
  const json = `${JSON.stringify(report, undefined, 2)}\n`;
  if (options.json === "-") process.stdout.write(json);
  else {
    process.stdout.write(reportText(report));
    if (options.json !== "") writeFileSync(options.json, json);
  }
  if (report.broken.length > 0) process.exitCode = 1;
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options) await main(options);
  else process.stdout.write(help());
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`swarm: ${error.message}\n`);
  process.exitCode = 2;
}
