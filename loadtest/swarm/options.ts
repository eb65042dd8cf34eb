/** The options of the swarm. */
import { availableParallelism } from "node:os";
import { RESOLUTIONS } from "../../src/protocol/messages.ts";
import { boolean, choice, integer, type Kind, list, text, UsageError, url } from "../../src/settings/option.ts";
import { type OptionValues, option, readTable, tableHelp } from "../option_table.ts";
import { TOKEN_OPTIONS } from "../tokens.ts";

const MAX_CONNECTIONS = 500_000;

/** A number of connections, absolute or as a share of all. */
export interface CountOrShare {
  of(connections: number): number;
  toString(): string;
}

/** A number of connections, or a percentage of them. */
export function countOrShare(): Kind<CountOrShare> {
  const count = integer(0, MAX_CONNECTIONS);
  return {
    arg: "N|N%",
    range: `a whole number of connections, or a percentage from 0% to 100%`,
    read(given) {
      const [, percent] = /^(\d{1,3}(?:\.\d+)?)%$/.exec(given) ?? [];
      const number = count.read(given);
      if (percent !== undefined && Number(percent) <= 100)
        return { of: (connections) => Math.round((connections * Number(percent)) / 100), toString: () => given };
      return number === undefined ? undefined : { of: () => number, toString: () => given };
    },
  };
}

const NONE: CountOrShare = { of: () => 0, toString: () => "0" };

const OPTIONS = {
  url: option(url(["ws", "wss"], true), "", "The gateway's stream; without it a gateway is started"),
  connections: option(integer(1, MAX_CONNECTIONS), 1_000, "Connections"),
  symbols: option(integer(1, 20_000), 50, "Symbols that each connection subscribes to"),
  trades: option(integer(0, 1_000), 0, "Of how many of these symbols each connection has the trades too"),
  books: option(integer(0, 1_000), 0, "Of how many of them it has the order books too"),
  bars: option(integer(0, 1_000), 0, "Of how many of them it has the bars too"),
  resolution: option(choice(...RESOLUTIONS), "1s", "The resolution of these bars"),
  interval: option(integer(0, 60_000, "ms"), 100, "The interval of every subscription"),
  duration: option(integer(1, 86_400, "seconds"), 10, "Length of the measurement"),
  warm: option(integer(0, 3_600, "seconds"), 3, "Wait between the last connection and the measurement"),
  rate: option(integer(1, 100_000, "a second"), 3_000, "New connections"),
  slow: option(countOrShare(), NONE, "Connections that read slowly"),
  "slow-bytes": option(integer(512, 100_000_000, "bytes a second"), 10_000, "Read rate of a slow connection"),
  stalled: option(countOrShare(), NONE, "Connections that stop reading once all are open"),
  stall: option(
    integer(0, 3_600, "seconds"),
    0,
    "Stalled connections alternate: this long without reading, this long reading; 0: never read again",
  ),
  churn: option(
    integer(0, 100_000, "a second"),
    0,
    "Connections that unsubscribe half of their symbols and subscribe again",
  ),
  processes: option(integer(1, 256), 1, "Processes of the swarm, which share the connections"),
  pid: option(list(integer(1, 4_194_304), /[\s,]+/), [] as number[], "A server process to measure; repeatable"),
  prefix: option(
    text("PREFIX", "the first characters of symbols", /^[\w.:/=^&+@!$~-]{0,63}$/),
    "",
    "Only the gateway's symbols with this prefix",
  ),
  market: option(integer(1, 100_000), 1_000, "Symbols of the simulator, without --url"),
  ticks: option(integer(1, 1_000_000, "a second"), 20_000, "Ticks of that simulator, all symbols together"),
  ...TOKEN_OPTIONS,
  delay: option(
    integer(0, 86_400_000, "ms"),
    0,
    "How late all symbols must be: a younger value, or a grant that does not say so, breaks a promise",
  ),
  "max-age": option(
    integer(0, 86_400_000, "ms"),
    0,
    "Highest p99 age of healthy clients; 0: interval + 100, with --delay that and a second more",
  ),
  "max-slow-age": option(integer(1, 600_000, "ms"), 5_000, "Highest p99 age of slow clients"),
  fresh: option(integer(1, 600_000, "ms"), 1_000, "Highest age of a fresh tick"),
  json: option(
    text("FILE", "a file name", /^/),
    "",
    "Write the result as JSON to this file; - for standard output without the text report",
  ),
  quiet: option(boolean(), false, "Do not print progress"),
} as const;

export type SwarmOptions = OptionValues<typeof OPTIONS>;

/**
 * Reads the command line. Returns undefined for `--help`.
 * @throws UsageError that names the flag and its range
 */
export function readOptions(args: readonly string[]): SwarmOptions | undefined {
  const read = readTable(OPTIONS, args);
  if (!read) return undefined;
  const { values, given } = read;
  if (values.slow.of(values.connections) + values.stalled.of(values.connections) > values.connections)
    throw new UsageError("--slow and --stalled together must not be more than --connections");
  for (const name of ["trades", "books", "bars"] as const)
    if (values[name] > values.symbols) throw new UsageError(`--${name} must not be more than --symbols`);
  if (values.processes > values.connections) throw new UsageError("--processes must not be more than --connections");
  if (values.url === "" && values.symbols > values.market)
    throw new UsageError(`--symbols (${values.symbols}) must not be more than --market (${values.market})`);
  for (const name of ["market", "ticks"])
    if (values.url !== "" && given.has(name))
      throw new UsageError(`--${name} is for a gateway of its own, not with --url`);
  for (const name of [...Object.keys(TOKEN_OPTIONS), "delay"])
    if (values.url === "" && given.has(name)) throw new UsageError(`--${name} needs --url`);
  return values;
}

export function help(): string {
  return (
    `npm run swarm -- [flags]: healthy, slow and stalled connections to a gateway, which check every promise on every tick.\n` +
    `This machine runs ${availableParallelism()} processes at once; the swarm uses one, or --processes.\n\n${tableHelp(OPTIONS)}`
  );
}
