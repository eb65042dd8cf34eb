/** The options of the fan-out benchmark. */
import { boolean, integer, text, UsageError } from "../../src/settings/option.ts";
import { type OptionValues, option, readTable, tableHelp } from "../option_table.ts";

const OPTIONS = {
  connections: option(integer(1, 20_000), 1_000, "Connections"),
  symbols: option(integer(1, 100_000), 1_000, "Symbols in the market"),
  "per-connection": option(integer(1, 20_000), 50, "Symbols that each connection subscribes to"),
  rate: option(integer(1, 1_000_000, "ticks a second"), 20_000, "Tick rate of the whole market"),
  interval: option(integer(0, 60_000, "ms"), 100, "The interval of every subscription"),
  seconds: option(integer(1, 86_400), 10, "Length of the measurement, seconds"),
  warm: option(integer(1, 600, "seconds"), 3, "Wait between the last connection and the measurement"),
  slow: option(integer(0, 20_000), 0, "Connections that read slowly"),
  "slow-rate": option(integer(512, 10_000_000, "bytes a second"), 10_000, "Read rate of a slow connection"),
  profile: option(text("FOLDER", "a folder's name", /./), "", "Write a CPU profile of the gateway to this folder"),
  features: option(
    boolean(),
    false,
    "Instead: the CPU per frame with tokens, a policy, revocations and the access log, as a ratio to that without",
  ),
  rounds: option(integer(2, 200), 8, "With --features: pairs of measurements, of --seconds each"),
} as const;
export type Options = OptionValues<typeof OPTIONS>;

/**
 * Reads the command line. Returns undefined for `--help`.
 * @throws UsageError that names the flag and its range
 */
export function readOptions(): Options | undefined {
  const options = readTable(OPTIONS, process.argv.slice(2))?.values;
  if (options && options["per-connection"] > options.symbols)
    throw new UsageError("--per-connection must not be more than --symbols");
  if (options && options.slow > options.connections) throw new UsageError("--slow must not be more than --connections");
  return options;
}

export function help(): string {
  return `node loadtest/bench/fanout.ts [flags]\n\n${tableHelp(OPTIONS)}`;
}
