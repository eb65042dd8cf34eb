/**
 * Measures the verification of tokens: how many a second, the CPU of each, and how long the event loop is held at 2,000
 * a second. The floor is the same load without verification. Then the same at a gateway, with a connection for each.
 *
 *     npx node loadtest/bench/tokens.ts [--seconds 5]
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { pino } from "pino";
import { SystemClock } from "../../src/base/clock.ts";
import { KeyFile } from "../../src/identity/key_file.ts";
import { type KeySource, SecretKey } from "../../src/identity/key_source.ts";
import { ReadCounts } from "../../src/identity/read_counts.ts";
import { TokenVerifier, VerifierCounts } from "../../src/identity/token_verifier.ts";
import { type ConnectionResult, measureConnections } from "./token_connections.ts";

const RATE = 2_000;
const TICK = 5;
const AUDIENCE = "prices";
/** So many tokens are made, and verified again and again. */
const TOKENS = 500;

const { values } = parseArgs({ options: { seconds: { type: "string", default: "5" } } });
const seconds = Number(values.seconds);
const clock = new SystemClock();
const folder = mkdtempSync(join(tmpdir(), "tickgate-tokens-"));

async function prepare(alg: string): Promise<{ keys: KeySource; tokens: string[]; args: string[] }> {
  const sign = (key: Parameters<SignJWT["sign"]>[0]) =>
    Promise.all(
      Array.from({ length: TOKENS }, (_, index) =>
        new SignJWT({ sub: `client-${index}`, roles: ["desk"] })
          .setProtectedHeader({ alg })
          .setIssuedAt()
          .setAudience(AUDIENCE)
          .setExpirationTime("1h")
          .sign(key),
      ),
    );
  if (alg.startsWith("HS")) {
    const secret = "a secret of the benchmark, of 32 bytes or more";
    const tokens = await sign(new TextEncoder().encode(secret));
    return { keys: new SecretKey(secret), tokens, args: ["--jwt-secret", secret] };
  }
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const path = join(folder, `${alg}.json`);
  writeFileSync(path, JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), alg }] }));
  const keys = new KeyFile(path, clock, pino({ level: "silent" }), new ReadCounts());
  return { keys, tokens: await sign(privateKey), args: ["--jwks", path, "--jwt-audience", AUDIENCE] };
}

/** Calls `verify` at the rate. @returns CPU of a call, µs, and the longest hold of the event loop, ms */
async function load(verify: (index: number) => Promise<unknown>): Promise<{ cpu: number; held: number }> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const before = process.cpuUsage();
  const start = performance.now();
  const under: Promise<unknown>[] = [];
  let calls = 0;
  delay.enable();
  while (performance.now() - start < seconds * 1_000) {
    const due = ((performance.now() - start) / 1_000) * RATE;
    while (calls < due) under.push(verify(calls++));
    await new Promise((resolve) => setTimeout(resolve, TICK));
  }
  await Promise.all(under);
  delay.disable();
  const { user, system } = process.cpuUsage(before);
  return { cpu: (user + system) / calls, held: delay.max / 1e6 };
}

const floor = await load(async () => {});
process.stdout.write(
  `without verification: ${floor.cpu.toFixed(0)} µs a call, event loop held at most ${floor.held.toFixed(1)} ms\n`,
);
const prepared = new Map<string, Awaited<ReturnType<typeof prepare>>>();
for (const alg of ["HS256", "RS256", "ES256"]) {
  const own = await prepare(alg);
  const { keys, tokens } = own;
  prepared.set(alg, own);
  const counts = new VerifierCounts({ metrics: true });
  const options = { algorithms: [alg], issuer: "", audience: "", clockTolerance: 0 };
  const verifier = new TokenVerifier(keys, options, clock, counts);
  const { cpu, held } = await load((index) => verifier.verify(tokens[index % TOKENS]));
  const start = performance.now();
  let done = 0;
  while (performance.now() - start < 1_000) {
    await Promise.all(tokens.slice(0, 50).map((token) => verifier.verify(token)));
    done += 50;
  }
  const refused = Object.values(counts.refused).reduce((sum, count) => sum + count, 0);
  if (refused > 0) throw new Error(`${refused} tokens were refused`);
  const rate = Math.round((done * 1_000) / (performance.now() - start));
  process.stdout.write(
    `${alg}: ${(cpu - floor.cpu).toFixed(0)} µs of CPU each at ${RATE}/s, event loop held at most ${held.toFixed(1)} ms; ${rate}/s at most\n`,
  );
}

const plain = await measureConnections({ rate: RATE, seconds, args: [], tokens: [] });
process.stdout.write(`connections without tokens: ${describe(plain)}\n`);
for (const [alg, { args, tokens }] of prepared) {
  const result = await measureConnections({ rate: RATE, seconds, args: ["--auth", "required", ...args], tokens });
  const more = (result.cpu - plain.cpu).toFixed(0);
  process.stdout.write(`connections with ${alg}: ${describe(result)}; ${more} µs more\n`);
}
rmSync(folder, { recursive: true });

function describe({ rate, cpu, heldMost, held99 }: ConnectionResult): string {
  const held = `event loop held at most ${heldMost.toFixed(1)} ms, 99 % below ${held99.toFixed(1)} ms`;
  return `${rate}/s, ${cpu.toFixed(0)} µs of the gateway's CPU each, ${held}`;
}
