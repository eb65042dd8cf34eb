/**
 * Measures the verification of tokens: how many a second, the CPU of each, and how long the event loop is held at 2,000
 * a second. The floor is the same load without verification.
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

const RATE = 2_000;
const TICK = 5;
/** So many tokens are made, and verified again and again. */
const TOKENS = 500;

const { values } = parseArgs({ options: { seconds: { type: "string", default: "5" } } });
const seconds = Number(values.seconds);
const clock = new SystemClock();
const folder = mkdtempSync(join(tmpdir(), "tickgate-tokens-"));

async function prepare(alg: string): Promise<{ keys: KeySource; tokens: string[] }> {
  const sign = (key: Parameters<SignJWT["sign"]>[0]) =>
    Promise.all(
      Array.from({ length: TOKENS }, (_, index) =>
        new SignJWT({ sub: `client-${index}`, roles: ["desk"] })
          .setProtectedHeader({ alg })
          .setIssuedAt()
          .setExpirationTime("1h")
          .sign(key),
      ),
    );
  if (alg.startsWith("HS")) {
    const secret = "a secret of the benchmark, of 32 bytes or more";
    return { keys: new SecretKey(secret), tokens: await sign(new TextEncoder().encode(secret)) };
  }
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const path = join(folder, `${alg}.json`);
  writeFileSync(path, JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), alg }] }));
  return {
    keys: new KeyFile(path, clock, pino({ level: "silent" }), new ReadCounts()),
    tokens: await sign(privateKey),
  };
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
for (const alg of ["HS256", "RS256", "ES256"]) {
  const { keys, tokens } = await prepare(alg);
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
rmSync(folder, { recursive: true });
