/**
 * `npm run bench:peers`: Tickgate and other ways of bringing prices to browsers, each under the same market, with the same
 * subscriptions and readers, in one run, taking turns. `--help` names the options; what is measured is on
 * docs/comparison.md.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { UsageError } from "../../src/settings/option.ts";
import { buildCentrifugo } from "./centrifugo.ts";
import { help, type Options, readOptions } from "./options.ts";
import { installPackages } from "./packages.ts";
import type { Peer } from "./peer.ts";
import { PEERS } from "./peers.ts";
import { picture, results, withResults } from "./report/document.ts";
import { type Comparison, type Run, readComparison } from "./report/results.ts";
import { measureTogether, type RunSettings } from "./run.ts";
import { type Load, type Scenario, scenariosOf } from "./scenarios.ts";
import { tickgate } from "./tickgate.ts";

const LOADS: readonly Load[] = [
  {
    name: "moderate",
    title: "A load that all can bear",
    ...{ connections: 500, perConnection: 20, symbols: 500, rate: 2_000 },
  },
  {
    name: "brisk",
    title: "A load that the lean can bear",
    ...{ connections: 1_000, perConnection: 20, symbols: 1_000, rate: 5_000 },
  },
  {
    name: "heavy",
    title: "A load that is more than a core can send tick by tick",
    ...{ connections: 1_000, perConnection: 50, symbols: 1_000, rate: 20_000 },
  },
  {
    name: "full",
    title: "What one gateway is made for, many times what a core can send tick by tick",
    ...{ connections: 5_000, perConnection: 50, symbols: 1_000, rate: 20_000 },
  },
];
const PAGE = new URL("../../docs/comparison.md", import.meta.url);
const PICTURE = new URL("../../docs/comparison.svg", import.meta.url);

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** @throws UsageError when somebody is named that is not there */
function chosenPeers({ peers: names }: Options): Peer[] {
  if (names === "") return PEERS.filter(({ isVariant }) => !isVariant);
  if (names === "all") return [...PEERS];
  return names.split(",").map((name) => {
    const [, interval] = /^tickgate-(\d{1,5})$/.exec(name) ?? [];
    const peer = PEERS.find((some) => some.name === name) ?? (interval && tickgate(Number(interval)));
    if (!peer) throw new UsageError(`--peers names ${name}; there are ${PEERS.map((some) => some.name).join(", ")}`);
    return peer;
  });
}

/** @throws UsageError when a load is named that is not there */
function chosenScenarios({ loads, slow, scale }: Options): Scenario[] {
  return loads.split(",").flatMap((name) => {
    const load = LOADS.find((some) => some.name === name);
    if (!load) throw new UsageError(`--loads names ${name}; there are ${LOADS.map((some) => some.name).join(", ")}`);
    const connections = Math.max(1, Math.round(load.connections * scale));
    const rate = Math.max(1, Math.round(load.rate * scale));
    return scenariosOf({ ...load, connections, rate }, slow / 100);
  });
}

/** Everything but the servers runs on the cores of the load: this process, and what it starts. @throws UsageError */
function pin(options: Options): void {
  const { status, error } = spawnSync("taskset", ["-a", "-p", "-c", options["load-cores"], String(process.pid)]);
  if (error) throw new UsageError("taskset is missing: apt-get install util-linux");
  if (status !== 0) throw new UsageError(`this machine has no cores ${options["load-cores"]}; see --load-cores`);
}

async function compare(options: Options): Promise<Comparison> {
  const peers = chosenPeers(options);
  const scenarios = chosenScenarios(options);
  const { rounds, seconds, warm: warmSeconds, fresh: freshBound, "slow-bytes": slowBytes } = options;
  if (peers.some(({ name }) => name.startsWith("socketio"))) installPackages();
  if (peers.some(({ name }) => name.startsWith("centrifugo"))) buildCentrifugo();
  const entries = peers.map((peer) => {
    const { name, title, isVariant, use } = peer;
    const missing = peer.missing();
    if (missing !== undefined) say(`without ${title}: ${missing}`);
    const version = missing === undefined ? peer.version() : "";
    return { name, title, isVariant, use, version, ...(missing === undefined ? {} : { missing }) };
  });
  pin(options);
  const cores = { server: options["server-cores"], load: options["load-cores"] };
  const measure = { cores, warmSeconds, seconds, freshBound, slowBytes };
  const turns: Run[] = [];
  const playing = peers.filter((peer) => peer.missing() === undefined);
  const groups = options.together ? [playing] : playing.map((peer) => [peer]);
  for (let round = 1; round <= rounds; round++)
    for (const scenario of scenarios)
      for (const group of groups) turns.push(...(await runGroup(group, scenario, measure, round)));
  return {
    ...{ date: new Date().toISOString().slice(0, 10), machine: machine(), rounds, seconds, warmSeconds },
    ...{ freshBound, slowBytes, scenarios, peers: entries, runs: turns },
  };
}

/** A turn of some peers at once; of one, as a rule. */
async function runGroup(
  peers: readonly Peer[],
  scenario: Scenario,
  measure: RunSettings,
  round: number,
): Promise<Run[]> {
  const turnOf = ({ name: peer }: Peer) => ({ peer, scenario: scenario.name, round });
  try {
    const results = await measureTogether(peers, scenario, measure);
    return peers.map((peer, index) => {
      const result = results[index];
      say(
        `round ${round}, ${scenario.name}, ${peer.title}: ${result.fresh.toFixed(0)} fresh/s, ` +
          `${result.cpuPerMillion.toFixed(2)} CPU s a million, p99 ${result.p99.toFixed(1)} ms`,
      );
      return { ...turnOf(peer), result };
    });
  } catch (error) {
    // Whatever it is, the others have their turns.
    const failure = (error as Error).message;
    say(`round ${round}, ${scenario.name}, ${peers.map(({ title }) => title).join(" and ")}: ${failure}`);
    return peers.map((peer) => ({ ...turnOf(peer), failure }));
  }
}

function machine(): string {
  const all = cpus();
  return `${all[0]?.model.trim() || "unknown processor"}, ${all.length} cores; Linux ${release().split("-")[0]}, Node ${process.version.slice(1)}`;
}

// What a turn has started ends with this process.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
try {
  const options = readOptions(process.argv.slice(2));
  if (!options) process.stdout.write(help());
  else {
    const comparison =
      options.from === "" ? await compare(options) : readComparison(readFileSync(options.from, "utf8"));
    process.stdout.write(`${results(comparison)}\n`);
    if (options.json !== "") writeFileSync(options.json, `${JSON.stringify(comparison, null, 1)}\n`);
    if (options.document) {
      writeFileSync(PAGE, withResults(readFileSync(PAGE, "utf8"), comparison));
      writeFileSync(PICTURE, picture(comparison));
    }
  }
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`bench:peers: ${error.message}\n`);
  process.exitCode = 2;
}
