/**
 * What tokens, a policy with roles, revocations and the access log cost per frame. Two gateways read the same feed from
 * Redis, one with all of these and one with none. Short rounds alternate between them, each with new connections; the
 * two of a pair follow one another, in either order, so that a machine that becomes slower affects both. The result is
 * the median of the pairs' ratios.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { UsageError } from "../../src/settings/option.ts";
import { GatewayProcess } from "../gateway_process.ts";
import type { TokenSource } from "../tokens.ts";
import type { Options } from "./fanout_options.ts";
import { loadOf } from "./load.ts";
import { quartilesOf } from "./quartiles.ts";
import { startFeed, startRedis } from "./servers.ts";

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const SECRET = "a secret of the benchmark, of 32 bytes or more";
/** The most that the features may cost. */
const LIMIT = 1.02;
/** Revoked subjects, none of which is connected. */
const REVOKED = 10;

interface Side {
  readonly gateway: GatewayProcess;
  readonly tokens: TokenSource | undefined;
  /** CPU microseconds per frame, of each round. */
  readonly micros: number[];
}

/** Measures and reports. @returns whether the cost is within the limit */
export async function reportFeatures(options: Options): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "tickgate-features-"));
  const ends: (() => unknown)[] = [() => rmSync(folder, { recursive: true })];
  try {
    const redis = await startRedis(folder);
    ends.push(() => redis.process.stop());
    const url = `redis://127.0.0.1:${redis.port}`;
    const feed = await startFeed(url, `sim:?symbols=${options.symbols}&rate=${options.rate}`);
    ends.push(() => feed.process.stop());
    for (let index = 0; index < REVOKED; index++) revoke(url, `revoked-${index}`);
    const policy = join(folder, "policy.json");
    writeFileSync(policy, JSON.stringify(policyOf(options)));
    const common = ["--redis-url", url, "--max-connections-per-address", String(options.connections * 2)];
    const start = async (tokens: TokenSource | undefined, ...flags: string[]): Promise<Side> => {
      const gateway = await GatewayProcess.start([...common, ...flags], [], { command: "gateway" });
      ends.push(() => gateway.stop());
      return { gateway, tokens, micros: [] };
    };
    const without = await start(undefined);
    const withAll = await start(
      { secret: SECRET, claims: { roles: ["desk", "base"] } },
      ...["--auth", "required", "--jwt-secret", SECRET, "--policy", policy, "--access-log", join(folder, "access.log")],
    );
    return await compare(options, without, withAll);
  } finally {
    for (const end of ends.toReversed()) await end();
  }
}

async function compare(options: Options, without: Side, withAll: Side): Promise<boolean> {
  // The first round of a process compiles its code.
  for (const side of [without, withAll]) await measure(options, side);
  const ratios: number[] = [];
  for (let pair = 0; pair < options.rounds; pair++) {
    const order = pair % 2 === 0 ? [without, withAll] : [withAll, without];
    for (const side of order) side.micros.push(await measure(options, side));
    const [base, all] = [without.micros[pair], withAll.micros[pair]];
    ratios.push(all / base);
    process.stdout.write(
      `${`pair ${pair + 1}`.padEnd(11)}${base.toFixed(2)} µs per frame without, ${all.toFixed(2)} with: ${(all / base).toFixed(3)}\n`,
    );
  }
  const { low, median, high } = quartilesOf(ratios);
  process.stdout.write(
    `${"ratio".padEnd(11)}${median.toFixed(3)} (half of the pairs from ${low.toFixed(3)} to ${high.toFixed(3)}); ` +
      `medians ${quartilesOf(without.micros).median.toFixed(2)} and ${quartilesOf(withAll.micros).median.toFixed(2)} µs per frame\n`,
  );
  if (median > LIMIT) process.stdout.write(`BROKEN: more than ${LIMIT} times\n`);
  return median <= LIMIT;
}

/** One round: opens the connections, measures, and ends them. @returns CPU microseconds per frame */
async function measure(options: Options, { gateway, tokens }: Side): Promise<number> {
  const { connections, symbols, interval } = options;
  const load = loadOf({
    ...{ port: gateway.port, connections, symbols, interval, slow: 0, slowRate: 0 },
    perConnection: options["per-connection"],
    tokens,
  });
  try {
    await load.open();
    await sleep(options.warm * 1_000);
    const before = await gateway.metrics();
    await sleep(options.seconds * 1_000);
    const after = await gateway.metrics();
    const { open, refused } = await load.result();
    if (open !== connections)
      throw new UsageError(`${open} of ${connections} connections are open (${refused.flat().join(" ")})`);
    const grown = (name: string) => (after.get(name) ?? Number.NaN) - (before.get(name) ?? Number.NaN);
    return (grown("process_cpu_seconds_total") * 1e6) / grown("tickgate_frames_out_total");
  } finally {
    load.kill();
    await gateway.untilEmpty();
  }
}

function policyOf(options: Options) {
  const symbolsPerConnection = Math.max(1_000, options["per-connection"]);
  return {
    roles: {
      anonymous: { grants: [{ symbols: ["PUBLIC:*"] }] },
      base: { grants: [{ symbols: ["PUBLIC:*", "OTHER:A", "OTHER:B"] }], connections: 5, symbolsPerConnection },
      desk: { grants: [{ symbols: ["SIM:*"], channels: ["quote"], interval: 0, delay: 0 }], connections: 5 },
    },
  };
}

function revoke(url: string, subject: string): void {
  const { status, stderr } = spawnSync(
    process.execPath,
    [MAIN, "revoke", "--subject", subject, "--for", "24", "--redis-url", url],
    { encoding: "utf8" },
  );
  if (status !== 0) throw new UsageError(`tickgate revoke: ${stderr}`);
}
