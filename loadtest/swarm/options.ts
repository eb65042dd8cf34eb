/** The flags of the swarm. */
import { availableParallelism } from "node:os";
import { boolean, integer, type Kind, list, text, UsageError, url } from "../../src/settings/option.ts";
import { type OptionValues, option, readTable, tableHelp } from "../option_table.ts";

const MAX_CONNECTIONS = 500_000;

/** How many connections read in some way: so many, or a share of all. */
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
  url: option(url(["ws", "wss"], true), "", "The gateway's stream; without it a gateway of its own is started"),
  connections: option(integer(1, MAX_CONNECTIONS), 1_000, "Connections"),
  symbols: option(integer(1, 20_000), 50, "Symbols that each connection subscribes to"),
  interval: option(integer(0, 60_000, "ms"), 100, "The interval of every subscription"),
  duration: option(integer(1, 86_400, "seconds"), 10, "How long is measured"),
  warm: option(integer(0, 3_600, "seconds"), 3, "How long to wait before, with everyone connected"),
  rate: option(integer(1, 100_000, "a second"), 3_000, "How fast connections are opened"),
  slow: option(countOrShare(), NONE, "Connections that read slowly"),
  "slow-bytes": option(integer(512, 100_000_000, "bytes a second"), 10_000, "How slowly each of those"),
  stalled: option(countOrShare(), NONE, "Connections that do not read once all are open"),
  stall: option(
    integer(0, 3_600, "seconds"),
    0,
    "How long those do not read, and then read again, in turns; 0: never again",
  ),
  churn: option(
    integer(0, 100_000, "a second"),
    0,
    "How many connections end half of their subscriptions and begin anew",
  ),
  processes: option(integer(1, 256), 1, "Processes of the swarm that the connections are parted between"),
  pid: option(
    list(integer(1, 4_194_304), /[\s,]+/),
    [] as number[],
    "A process of the server, to be measured; repeatable",
  ),
  prefix: option(
    text("PREFIX", "what symbols begin with", /^[A-Z0-9._:-]{0,63}$/),
    "",
    "Only these of the gateway's symbols",
  ),
  market: option(integer(1, 100_000), 1_000, "Symbols of the simulator, where the gateway is its own"),
  ticks: option(integer(1, 1_000_000, "a second"), 20_000, "Ticks of that simulator, all symbols together"),
  "max-age": option(integer(0, 600_000, "ms"), 0, "Ages of healthy readers at p99 that are too old; 0: interval + 100"),
  "max-slow-age": option(integer(1, 600_000, "ms"), 5_000, "Ages of slow readers at p99 that are too old"),
  fresh: option(integer(1, 600_000, "ms"), 1_000, "Up to which age a tick counts as fresh"),
  json: option(
    text("FILE", "a file name", /^/),
    "",
    "Write the result there as JSON; - for standard output, and nothing else",
  ),
  quiet: option(boolean(), false, "Do not say what is being done"),
} as const;

export type SwarmOptions = OptionValues<typeof OPTIONS>;

/**
 * Reads the command line. Undefined when the help is wanted.
 * @throws UsageError that names the flag and its range
 */
export function readOptions(args: readonly string[]): SwarmOptions | undefined {
  const read = readTable(OPTIONS, args);
  if (!read) return undefined;
  const { values, given } = read;
  if (values.slow.of(values.connections) + values.stalled.of(values.connections) > values.connections)
    throw new UsageError("--slow and --stalled together must not be more than --connections");
  if (values.processes > values.connections) throw new UsageError("--processes must not be more than --connections");
  if (values.url === "" && values.symbols > values.market)
    throw new UsageError(`--symbols (${values.symbols}) must not be more than --market (${values.market})`);
  for (const name of ["market", "ticks"])
    if (values.url !== "" && given.has(name))
      throw new UsageError(`--${name} is for a gateway of its own, not with --url`);
  return values;
}

export function help(): string {
  return (
    `npm run swarm -- [flags]: connections to a gateway, each in its way, that check every promise on every tick.\n` +
    `This machine runs ${availableParallelism()} processes at once; the swarm takes one, or --processes.\n\n${tableHelp(OPTIONS)}`
  );
}
