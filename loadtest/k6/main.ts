/**
 * `npm run loadtest -- SCENARIO [flags]`: runs k6 against a gateway; starts one where no address is given. Writes a
 * page and JSON. Exit code: k6's own (99 when a threshold was crossed), or 2 when the command line is wrong or k6 is
 * missing.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError } from "../../src/settings/option.ts";
import { GatewayProcess } from "../gateway_process.ts";
import type { TokenSource } from "../tokens.ts";
import { findK6, HOW_TO_GET_IT } from "./find.ts";
import { installK6 } from "./install.ts";
import { help, type LoadTestOptions, readOptions } from "./options.ts";
import { envName } from "./scenarios.ts";

const SCRIPT = fileURLToPath(new URL("script.ts", import.meta.url));

type Run = Extract<LoadTestOptions, { command: "run" }>;

async function run(options: Run): Promise<number> {
  const k6 = findK6();
  if (k6 === undefined) throw new UsageError(HOW_TO_GET_IT);
  const { flags, settings } = options;
  if (flags.url !== "") return await runAgainst(k6, flags.url, flags.metrics, options);
  // High enough that the gateway does not warn that it is nearly full.
  const most = String(settings.connections * 2);
  const gateway = await GatewayProcess.start([
    ...["--feed", `sim:?symbols=${flags.market}&rate=${flags.ticks}${channelsOf(settings)}`],
    ...["--max-connections", most, "--max-connections-per-address", most],
  ]);
  try {
    return await runAgainst(k6, `ws://127.0.0.1:${gateway.port}/v1/stream`, gateway.metricsUrl, options);
  } finally {
    await gateway.stop();
  }
}

function channelsOf({ trades, books, bars }: Run["settings"]): string {
  // Bars are made of trades.
  return `&channels=quote${trades + bars > 0 ? ",trade" : ""}${books > 0 ? ",book" : ""}${bars > 0 ? ",bar" : ""}`;
}

async function runAgainst(
  k6: string,
  url: string,
  metrics: string,
  { scenario, settings, flags, tokens }: Run,
): Promise<number> {
  mkdirSync(flags.reports, { recursive: true });
  const moment = new Date().toISOString().slice(0, 19).replace(/[-:]/g, "");
  const env: Record<string, string> = {
    ...Object.fromEntries(Object.entries(settings).map(([name, value]) => [envName(name), String(value)])),
    ...{ SCENARIO: scenario, URL: url, METRICS: metrics, PREFIX: flags.prefix },
    ...(tokens && "secret" in tokens && secretEnv(flags)),
    REPORT: join(flags.reports, `${scenario}-${moment}`),
  };
  const variables = Object.entries(env).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
  // No usage report, and no port for k6's own interface.
  const own = ["run", "--no-usage-report", "--address", "", "--quiet", "--no-color"];
  const child = spawn(k6, [...own, ...variables, SCRIPT], { stdio: "inherit", env: tokenEnv(tokens) });
  // k6 gets Ctrl-C as well, and writes its report.
  const ignore = () => {};
  process.on("SIGINT", ignore);
  try {
    const [code] = (await once(child, "exit")) as [number | null];
    return code ?? 1;
  } finally {
    process.off("SIGINT", ignore);
  }
}

function secretEnv({ "jwt-secret-file": file, claims }: Run["flags"]): Record<string, string> {
  return { JWT_SECRET_FILE: resolve(file), CLAIMS: JSON.stringify(claims) };
}

/** The environment of k6, which has the token: arguments can be seen in the list of processes. */
function tokenEnv(tokens: TokenSource | undefined): NodeJS.ProcessEnv {
  const { TICKGATE_TOKEN: _, ...env } = process.env;
  return tokens && "token" in tokens ? { ...env, TICKGATE_TOKEN: tokens.token } : env;
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) process.stdout.write(help());
  else if (options.command === "run") process.exitCode = await run(options);
  else process.stdout.write(`${installK6((text) => void process.stderr.write(`${text}\n`))}\n`);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`loadtest: ${error.message}\n`);
  process.exitCode = 2;
}
