/** The options of `npm run bench:peers`. */
import { boolean, decimal, integer, text, UsageError } from "../../src/settings/option.ts";
import { type OptionValues, option, readTable, tableHelp } from "../option_table.ts";
import { PEERS } from "./peers.ts";

const OPTIONS = {
  peers: option(
    text("NAMES", "names with commas between", /^[a-z0-9,-]*$/),
    "",
    "Who takes part (`tickgate-MS`: any interval); `all`: variants too; nobody named: all that are none",
  ),
  loads: option(
    text("NAMES", "names with commas between", /^[a-z,]+$/),
    "moderate,brisk,heavy,full",
    "The loads: moderate, brisk, heavy, full",
  ),
  rounds: option(integer(1, 100), 3, "How often everybody has a turn"),
  seconds: option(decimal(0.5, 3_600), 2, "How long is measured"),
  warm: option(
    decimal(0, 600),
    5,
    "How long to wait before, with everyone connected, seconds: until compilers have compiled",
  ),
  slow: option(decimal(0, 50), 5, "Slow readers, in a hundred; 0 leaves the scenarios with them out"),
  "slow-bytes": option(integer(512, 10_000_000), 10_000, "Bytes a second that each of those reads"),
  fresh: option(integer(1, 60_000), 1_000, "Up to which age an update is fresh, ms"),
  scale: option(decimal(0.001, 10), 1, "Connections and ticks a second, as a share of what a load says"),
  "server-cores": option(text("CORES", "cores as taskset takes them", /^[\d,-]+$/), "0", "Where the server runs"),
  "load-cores": option(text("CORES", "cores as taskset takes them", /^[\d,-]+$/), "1", "Where everything else runs"),
  json: option(text("FILE", "a file", /./), "", "Write the results there as well"),
  from: option(text("FILE", "a file", /./), "", "Measure nothing: take the results from there"),
  together: option(
    boolean(),
    false,
    "All at once on the same cores: ratios hold on a machine whose speed changes; ages say little",
  ),
  document: option(boolean(), false, "Write docs/comparison.md and its picture"),
} as const;

/** The values of all options. */
export type Options = OptionValues<typeof OPTIONS>;

/**
 * Reads the command line. Returns undefined for `--help`.
 * @throws UsageError that names the option and its range
 */
export function readOptions(args: readonly string[]): Options | undefined {
  const values = readTable(OPTIONS, args)?.values;
  if (values?.document && values.together) throw new UsageError("--document is of turns: not with --together");
  return values;
}

export function help(): string {
  const peers = PEERS.map(
    ({ name, title, isVariant }) => `  ${name.padEnd(22)}${title}${isVariant ? " (variant)" : ""}`,
  );
  return `${["npm run bench:peers -- [--OPTION VALUE …]", tableHelp(OPTIONS), "peers:", ...peers].join("\n")}\n`;
}
