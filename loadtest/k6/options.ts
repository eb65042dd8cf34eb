/** The command line of `npm run loadtest`: a scenario and its parameters. */
import { integer, text, UsageError, url } from "../../src/settings/option.ts";
import { type Option, type OptionValues, option, readTable, tableHelp } from "../option_table.ts";
import { TOKEN_OPTIONS, type TokenSource, tokenSource } from "../tokens.ts";
import { defaultsOf, PARAMETERS, type ParameterName, refusal, SCENARIOS, type Settings } from "./scenarios.ts";

const OPTIONS = {
  url: option(url(["ws", "wss"], true), "", "The gateway's stream; without it a gateway is started"),
  metrics: option(url(["http", "https"], true), "", "The gateway's metrics page, for its CPU and memory"),
  prefix: option(
    text("PREFIX", "the first characters of symbols", /^[\w.:/=^&+@!$~-]{0,63}$/),
    "",
    "Only the gateway's symbols with this prefix",
  ),
  ...TOKEN_OPTIONS,
  reports: option(text("FOLDER", "a folder's name", /./), "loadtest/reports", "The folder for reports"),
  market: option(integer(1, 100_000), 1_000, "Symbols of the simulator, without --url"),
  ticks: option(integer(1, 1_000_000, "a second"), 20_000, "Ticks of that simulator, all symbols together"),
} as const;

/** The command: a scenario, or the installation of k6. */
export type LoadTestOptions =
  | { readonly command: "install" }
  | {
      readonly command: "run";
      readonly scenario: string;
      readonly settings: Settings;
      readonly flags: OptionValues<typeof OPTIONS>;
      readonly tokens: TokenSource | undefined;
    };

/**
 * Reads the command line; the default scenario is `smoke`. Returns undefined for `--help`.
 * @throws UsageError that names what is wrong, and its range
 */
export function readOptions(args: readonly string[]): LoadTestOptions | undefined {
  const isNamed = args.length > 0 && !args[0].startsWith("-");
  const scenario = isNamed ? args[0] : "smoke";
  const rest = isNamed ? args.slice(1) : args;
  if (scenario === "install" && rest.length === 0) return { command: "install" };
  if (!Object.hasOwn(SCENARIOS, scenario))
    throw new UsageError(`there is no scenario ${JSON.stringify(scenario)}: ${Object.keys(SCENARIOS).join(", ")}`);
  const read = readTable({ ...parameters(scenario), ...OPTIONS }, rest);
  if (!read) return undefined;
  const { values, given } = read;
  const settings = Object.fromEntries(
    Object.keys(PARAMETERS).map((name) => [name, values[name as ParameterName]]),
  ) as Settings;
  const why = refusal(scenario, settings);
  if (why) throw new UsageError(why);
  for (const name of ["market", "ticks"])
    if (values.url !== "" && given.has(name))
      throw new UsageError(`--${name} is for a gateway of its own, not with --url`);
  for (const name of ["metrics", "delay", ...Object.keys(TOKEN_OPTIONS)])
    if (values.url === "" && given.has(name)) throw new UsageError(`--${name} needs --url`);
  if (values.url === "" && settings.symbols > values.market)
    throw new UsageError(`--symbols (${settings.symbols}) must not be more than --market (${values.market})`);
  // k6 reads the secret's file itself; what is wrong with it is reported here.
  return { command: "run", scenario, settings, flags: values, tokens: tokenSource(values, process.env) };
}

export function help(): string {
  const scenarios = Object.entries(SCENARIOS).map(([name, { help: what, defaults }]) => {
    const own = Object.entries(defaults).map(([parameter, value]) => `--${parameter} ${value}`);
    return `  ${name.padEnd(22)}${what} (${own.join(" ")})\n`;
  });
  return (
    "npm run loadtest -- SCENARIO [flags]: k6 against a gateway. The default scenario is smoke.\n\n" +
    `${scenarios.join("")}  ${"install".padEnd(22)}Build k6 with Go, if it is missing\n\n` +
    `Flags with their range and default, unless the scenario has its own:\n${tableHelp({ ...parameters(), ...OPTIONS })}`
  );
}

/** The parameters as options, with the defaults of a scenario. */
function parameters(scenario?: string): Record<ParameterName, Option<number>> {
  const all = Object.entries(PARAMETERS).map(([name, { min, max, unit, help: what, default: usual }]) => {
    const fallback = scenario === undefined ? usual : defaultsOf(scenario)[name as ParameterName];
    return [name, option(integer(min, max, unit), fallback, what)];
  });
  return Object.fromEntries(all);
}
