/**
 * `npm run bench:peers`: measures Tickgate and other servers, one after the other, with the same market, subscriptions
 * and clients. `--help` lists the options; docs/comparison.md describes the method.
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
    title: "Every server keeps up",
    ...{ connections: 500, perConnection: 20, symbols: 500, rate: 2_000 },
  },
  {
    name: "brisk",
    title: "One core is enough to send every tick",
    ...{ connections: 1_000, perConnection: 20, symbols: 1_000, rate: 5_000 },
  },
  {
    name: "heavy",
    title: "One core is rarely enough to send every tick",
    ...{ connections: 1_000, perConnection: 50, symbols: 1_000, rate: 20_000 },
  },
  {
    name: "full",
    title: "Far more than one core can send tick by tick",
    ...{ connections: 5_000, perConnection: 50, symbols: 1_000, rate: 20_000 },
  },
];
const PAGE = new URL("../../docs/comparison.md", import.meta.url);
const PICTURE = new URL("../../docs/comparison.svg", import.meta.url);

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** @throws UsageError when there is no peer of a given name */
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

/** @throws UsageError when there is no load of a given name */
function chosenScenarios({ loads, slow, scale }: Options): Scenario[] {
  return loads.split(",").flatMap((name) => {
    const load = LOADS.find((some) => some.name === name);
    if (!load) throw new UsageError(`--loads names ${name}; there are ${LOADS.map((some) => some.name).join(", ")}`);
    const connections = Math.max(1, Math.round(load.connections * scale));
    const rate = Math.max(1, Math.round(load.rate * scale));
    return scenariosOf({ ...load, connections, rate }, slow / 100);
  });
}

/** Pins this process, and with it all processes except the servers, to the load's cores. @throws UsageError */
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

/** Measures one peer, or several at once with `--together`. */
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
          `${result.cpuPerMillion.toFixed(2)} CPU s per million, p99 ${result.p99.toFixed(1)} ms`,
      );
      return { ...turnOf(peer), result };
    });
  } catch (error) {
    // One failed run does not stop the others.
    const failure = (error as Error).message;
    say(`round ${round}, ${scenario.name}, ${peers.map(({ title }) => title).join(" and ")}: ${failure}`);
    return peers.map((peer) => ({ ...turnOf(peer), failure }));
  }
}

function machine(): string {
  const all = cpus();
  return `${all[0]?.model.trim() || "unknown processor"}, ${all.length} cores; Linux ${release().split("-")[0]}, Node ${process.version.slice(1)}`;
}

// Ends with the exit handlers that kill the started processes (process_group.ts).
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
