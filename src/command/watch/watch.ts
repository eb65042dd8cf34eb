/** `tickgate watch SYMBOL…`: live prices from a gateway, as a table on a terminal or as lines elsewhere. */
import { WebSocket } from "ws";
import { isPattern, isSymbol, SYMBOL_CHARACTERS } from "../../base/tick.ts";
import { type ConnectionState, TickgateClient } from "../../client/client.ts";
import type { CommandLine } from "../../settings/command_line.ts";
import { UsageError } from "../../settings/option.ts";
import { say } from "../terminal/lines.ts";
import { Screen } from "../terminal/screen.ts";
import { COLOURED, PLAIN_STYLE } from "../terminal/style.ts";
import { JSON_LINES, LinePrinter, PLAIN } from "./lines.ts";
import { LiveView } from "./live.ts";
import { type Missing, missing } from "./missing.ts";
import { WatchTable } from "./table.ts";
import { TokenFile } from "./token_file.ts";

/** The interval at which the round trip is measured, ms. */
const PING_INTERVAL = 2_000;
/** The largest message that is accepted, bytes: a grant of some hundred thousand symbols. */
const LARGEST_MESSAGE = 16 * 1_048_576;
/** After this time connected, symbols without a tick are reported, ms: the gateway may first have to read its bus. */
const MISSING_TIME = 2_000;
/** The most symbols that the report names. */
const MOST_MISSING = 5;
/** The longest wait for a slow reader of the last lines, ms. */
const LAST_LINES = 500;

/**
 * HTTP statuses that a new attempt would get again. A page would try again, since a proxy may have sent them; here the
 * address or the token is wrong as a rule.
 */
const REFUSAL = /response: (3|4(?!08|25|29))\d\d$/;

/** A WebSocket that reports the HTTP status of a refusal; Node's own does not. */
class StatusSocket extends WebSocket {
  constructor(url: string, protocols: string[]) {
    super(url, protocols, { perMessageDeflate: false, maxPayload: LARGEST_MESSAGE });
  }
}

/**
 * Watches until a key or a signal, or until the gateway refuses it (exit code 1).
 * @throws UsageError when there are no symbols, or an operand is none
 */
export async function run({ settings, operands, unknownEnv }: CommandLine): Promise<void> {
  const { url, watchInterval: interval, watchSort: order, json } = settings;
  if (operands.length === 0) throw new UsageError("watch takes symbols or patterns: tickgate watch 'SIM:*'");
  const wrong = operands.find((text) => !isSymbol(text) && !isPattern(text));
  if (wrong !== undefined)
    throw new UsageError(`${JSON.stringify(wrong)} is not 1 to 64 of ${SYMBOL_CHARACTERS} (or a prefix and *)`);
  for (const name of unknownEnv) say(`the environment names ${name}, which is no setting`);

  const file = settings.tokenFile === "" ? undefined : new TokenFile(settings.tokenFile);
  const token = file ? () => file.token() : settings.token;
  const options = { WebSocket: StatusSocket, pingInterval: PING_INTERVAL };
  const client = new TickgateClient(url, token === "" ? options : { ...options, token });
  const ended = untilEnd(client, file);
  // A reader that closed the pipe (`| head`) is no error; on a closed terminal an error cannot be shown.
  const readerGone = new Promise<number>((resolve) => process.stdout.on("error", () => resolve(0)));
  const isLive = process.stdout.isTTY && process.env.TERM !== "dumb" && !json;
  const refused = new Set<string>();
  client.on("rejected", ({ symbol }) => refused.add(symbol));
  const waitingFor = () => missing(client, operands, refused);
  const finish = isLive
    ? watchLive(client, order, waitingFor, ended.end)
    : watchLines(client, url, json, () => ended.reason !== "");
  if (!isLive) tellMissing(client, waitingFor);
  client.subscribe(operands, { interval });

  const code = await Promise.race([ended.code, readerGone]);
  client.close();
  await finish();
  const { reason } = ended;
  if (reason) say(`${url} refuses${reason.endsWith(" 401") ? " the token" : ""}: ${reason}`);
  // A closing handshake, or a reader that does not read, must not delay the end.
  process.exit(code);
}

/** The ways in which a watch ends: a signal, a key, a refusal of the gateway. */
function untilEnd(client: TickgateClient, file: TokenFile | undefined) {
  let reason = "";
  let end = () => {};
  // A file may have another token soon.
  const isWrong = (reason: string) => REFUSAL.test(reason) && !(file && reason.endsWith(" 401"));
  const code = new Promise<number>((resolve) => {
    end = () => resolve(0);
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, end);
    let wasOpen = false;
    client.on("connection", (state) => {
      wasOpen ||= state.phase === "open";
      const isRefused = state.phase === "ended" && state.refused;
      const isGivenUp = state.phase === "waiting" && (file?.lost(state.reason) || (!wasOpen && isWrong(state.reason)));
      if (!isRefused && !isGivenUp) return;
      reason = state.reason;
      resolve(1);
    });
  });
  return {
    code,
    end,
    get reason(): string {
      return reason;
    },
  };
}

/** Reports the symbols without a tick once, some time after the connection. */
function tellMissing(client: TickgateClient, waitingFor: () => readonly Missing[]): void {
  const stop = client.on("connection", ({ phase }) => {
    if (phase !== "open") return;
    stop();
    setTimeout(() => {
      const all = waitingFor();
      for (const { why } of all.slice(0, MOST_MISSING)) say(`${why}; waiting`);
      if (all.length > MOST_MISSING) say(`and waiting for ${all.length - MOST_MISSING} more`);
    }, MISSING_TIME);
  });
}

/** @returns a function that ends it */
function watchLive(
  client: TickgateClient,
  order: "symbol" | "activity",
  waitingFor: () => readonly Missing[],
  end: () => void,
): () => Promise<void> {
  const style = process.env.NO_COLOR ? PLAIN_STYLE : COLOURED;
  const now = () => Date.now() * 1_000 + client.stats.clockOffset;
  const table = new WatchTable(order, style, now);
  const view = new LiveView(client, table, new Screen(process.stdout, process.stdin), style, waitingFor);
  view.start(end);
  return async () => view.stop();
}

/** @returns a function that ends it */
function watchLines(client: TickgateClient, url: string, json: boolean, isEnding: () => boolean): () => Promise<void> {
  const printer = new LinePrinter(process.stdout, json ? JSON_LINES : PLAIN, () => Date.now() * 1_000);
  printer.listen(client);
  let isTold = false;
  client.on("connection", (state: ConnectionState) => {
    if (state.phase === "waiting" && !isTold && !isEnding())
      say(`no connection to ${url}: ${state.reason}; trying again`);
    if (state.phase === "silent") say("nothing heard from the gateway; prices may be old");
    if (state.phase === "open" && isTold) say(`connected to ${state.hello.node}`);
    isTold = state.phase === "waiting" || (state.phase === "connecting" && isTold);
  });
  client.on("quality", ({ state, interval, reason }) => {
    if (!json) say(`quality: ${state}, an update every ${interval} ms (${reason})`);
  });
  client.on("rejected", ({ symbol, message }) => say(`${symbol} was not granted: ${message}`));
  let lastSaid = "";
  client.on("error", ({ code, symbol, message }) => {
    // The other events are handled above, or at the end; without a connection the reason is that of the connection.
    if (symbol !== undefined || code === "refused" || client.connection.phase === "waiting") return;
    const text = message.startsWith("no token") ? message : `the gateway says ${code}: ${message}`;
    // A token is asked for again and again.
    if (text !== lastSaid || code !== "invalid_token") say(text);
    lastSaid = text;
  });
  return async () => {
    const late = new Promise<void>((resolve) => setTimeout(resolve, LAST_LINES));
    await Promise.race([printer.finish(), late]);
  };
}
