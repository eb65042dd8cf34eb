/**
 * `tickgate trace SYMBOL`: follows the next ticks of a symbol through every stage, and prints where their time went.
 */
import { SystemClock } from "../../base/clock.ts";
import { printableJson } from "../../base/printable.ts";
import { isSymbol, SYMBOL_CHARACTERS } from "../../base/tick.ts";
import { NOBODY_PUBLISHES } from "../../protocol/messages.ts";
import type { CommandLine } from "../../settings/command_line.ts";
import { UsageError } from "../../settings/option.ts";
import { print, say } from "../terminal/lines.ts";
import { adminUrl } from "../top/top.ts";
import { noSuchSymbol } from "../watch/missing.ts";
import { type Traced, TraceJoin } from "./join.ts";
import { followNode, TraceClient, TraceError } from "./link.ts";
import { micros, TraceView } from "./view.ts";

/** The time without a tick after which a note is printed, ms: at the start, and after a tick. */
const FIRST_QUIET = 2_000;
const QUIET = 10_000;

/**
 * Traces the requested number of ticks, or until a signal. Ends with exit code 1 when the trace is not possible.
 * @throws UsageError when there is not exactly one symbol
 */
export async function run({ settings, operands }: CommandLine): Promise<void> {
  const [symbol, ...more] = operands;
  if (symbol === undefined || more.length > 0) throw new UsageError("trace takes one symbol: tickgate trace SIM:S0000");
  if (!isSymbol(symbol)) throw new UsageError(`${JSON.stringify(symbol)} is not 1 to 64 of ${SYMBOL_CHARACTERS}`);
  const { url, traceAdmin, traceInterval: interval, traceCount: count, json } = settings;
  const admin = adminUrl(traceAdmin);
  const [token] = settings.adminToken;
  const view = new TraceView();
  process.stdout.on("error", () => process.exit());
  let code = 0;
  try {
    await trace({ symbol, url, admin, token, interval, count, json }, view);
  } catch (error) {
    if (!(error instanceof TraceError)) throw error;
    say(error.message);
    code = 1;
  }
  if (!json && view.count > 0) print(view.summary());
  process.stdout.write("", () => process.exit(code));
}

interface Wanted {
  readonly symbol: string;
  readonly url: string;
  readonly admin: string;
  readonly token: string | undefined;
  readonly interval: number;
  readonly count: number;
  readonly json: boolean;
}

async function trace(wanted: Wanted, view: TraceView): Promise<void> {
  const { symbol, url, admin, token, interval, count, json } = wanted;
  const client = await TraceClient.open(url, new SystemClock());
  const ending = new AbortController();
  const { node, session } = client.hello as NonNullable<typeof client.hello>;
  const { promise: done, resolve, reject } = Promise.withResolvers<void>();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  let isUnknown = false;
  const sayQuiet = (millis: number) =>
    say(`${isUnknown ? noSuchSymbol(symbol) : `no tick of ${symbol} for ${millis / 1_000} s`}; waiting`);
  let quiet = setTimeout(sayQuiet, FIRST_QUIET, FIRST_QUIET);
  let left = count;
  const show = (traced: Traced) => {
    if (left === 0) return;
    clearTimeout(quiet);
    quiet = setTimeout(sayQuiet, QUIET, QUIET);
    if (json) print([printableJson(traced)]);
    else print(view.lines(traced));
    if (traced.kind === "tick" && --left === 0) resolve();
  };
  const join = new TraceJoin(show);
  try {
    const told = followNode(admin, symbol, session, token, ending.signal, (line) => {
      if (line.line === "applied") join.applied(line);
      else if (line.line === "sent") join.sent(line);
      else
        client.follow(symbol, interval, {
          arrived: (seq, at) => join.arrived(seq, at),
          granted: (granted) => json || introduce(wanted, node, session, granted, client),
          statusChanged: (reason) => {
            isUnknown = reason === NOBODY_PUBLISHES;
          },
          ended: (reason) => reject(new TraceError(reason)),
        });
    });
    told.then(
      () => reject(new TraceError(`${admin} has ended the trace`)),
      (error: unknown) => reject(ofAnotherNode(error, wanted, node)),
    );
    await done;
  } finally {
    clearTimeout(quiet);
    ending.abort();
    client.close();
  }
}

function introduce({ symbol }: Wanted, node: string, session: string, interval: number, client: TraceClient): void {
  const { ahead, uncertainty } = client.skew;
  const clock = `its clock is ${micros(Math.abs(ahead))} ${ahead < 0 ? "behind" : "ahead of"} ours, give or take ${micros(uncertainty)}`;
  print([`${symbol} through ${node} (session ${session}), at ${interval} ms; ${clock}`]);
}

/** Behind a balancer, the connection may lead to another gateway than the admin port. */
function ofAnotherNode(error: unknown, { url, admin }: Wanted, node: string): unknown {
  if (
    !(error instanceof TraceError) ||
    (!error.message.includes("no session") && !error.message.includes("no worker of"))
  )
    return error;
  return new TraceError(
    `${url} led to ${node}, and ${admin} is the admin port of another node: name that of ${node} with --admin, or reach the other one itself with --url`,
    { cause: error },
  );
}
