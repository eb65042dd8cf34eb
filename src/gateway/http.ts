/** The market over HTTP, as JSON: for a script or a look, where a stream would be too much. */
import type { HttpResponse } from "uWebSockets.js";
import type { MarketTable } from "../market/table.ts";
import { FIELD_COUNT, FIELDS, isPattern, isSymbol, STATES } from "../tick.ts";
import type { GatewayContext } from "./context.ts";

/** Answers with JSON. */
export function respond(
  res: HttpResponse,
  status: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  res.cork(() => {
    res.writeStatus(status).writeHeader("Content-Type", "application/json; charset=utf-8");
    for (const [name, value] of Object.entries(headers)) res.writeHeader(name, value);
    res.end(JSON.stringify(body));
  });
}

/** Says that nothing is done but reading, without a body: one behind the answer to a HEAD would be read as the next answer. */
export function refuseMethod(res: HttpResponse): void {
  res.cork(() => res.writeStatus("405 Method Not Allowed").writeHeader("Allow", "GET").end());
}

/** How long an answer waits for what nobody had followed to be read from the bus, ms. */
const KNOWN_TIME = 1_000;
const KNOWN_LOOK = 10;

/** What is asked of the market: some symbols, or every one (undefined). */
interface Question {
  readonly symbols: readonly string[] | undefined;
  answer(): unknown;
}

/** Reads a question from a query, or says what is wrong with it. */
type Read = (query: URLSearchParams, context: GatewayContext) => Question | { error: string };

/** Answers a question about the market, when the bus knows what it is about. */
export function answerMarket(
  res: HttpResponse,
  query: URLSearchParams,
  read: Read,
  context: GatewayContext,
  headers: Readonly<Record<string, string>>,
): void {
  const question = read(query, context);
  if ("error" in question) return respond(res, "400 Bad Request", question, headers);
  const { bus, clock } = context;
  const symbols = question.symbols ?? [undefined];
  for (const symbol of symbols) bus.follow(symbol);
  const deadline = clock.millis() + KNOWN_TIME;
  let timer: NodeJS.Timeout | undefined;
  const end = () => {
    clearTimeout(timer);
    for (const symbol of symbols) bus.unfollow(symbol);
  };
  const look = () => {
    const known = symbols.every((symbol) => bus.isKnown(symbol));
    if (!known && clock.millis() < deadline) {
      timer = setTimeout(look, KNOWN_LOOK);
      return;
    }
    end();
    if (known) respond(res, "200 OK", question.answer(), headers);
    else respond(res, "503 Service Unavailable", { error: bus.unready() ?? "the market is not known yet" }, headers);
  };
  res.onAborted(end);
  look();
}

/** `GET /v1/symbols`: every symbol that has had a tick, in order; `?prefix=` for some of them. */
export const readSymbols: Read = (query, { table, clock }) => ({
  symbols: undefined,
  answer() {
    const rows = matching(table, query.get("prefix") ?? "");
    return { time: clock.micros(), symbols: rows.map((row) => table.symbols[row]).sort() };
  },
});

/**
 * `GET /v1/ticks?symbols=A,B`: the latest tick of each, which may be patterns too. Symbols that have had no tick are
 * listed as `unknown`.
 */
export const readTicks: Read = (query, { table, clock, settings }) => {
  const texts = (query.get("symbols") ?? "").split(",").filter((text) => text !== "");
  const wrong = texts.find((text) => !isSymbol(text) && !isPattern(text));
  if (wrong !== undefined) return { error: `not a symbol: ${wrong.slice(0, 64)}` };
  if (texts.length === 0) return { error: "symbols is missing: ?symbols=A,B" };
  if (texts.length > settings.maxSymbolsPerConnection)
    return { error: `more than ${settings.maxSymbolsPerConnection} symbols` };
  return {
    symbols: texts.some(isPattern) ? undefined : texts,
    answer() {
      const rows = new Set<number>();
      const unknown: string[] = [];
      for (const text of texts) {
        const row = table.rowOf(text);
        if (isPattern(text)) for (const match of matching(table, text.slice(0, -1))) rows.add(match);
        else if (row >= 0 && table.hasTicked(row)) rows.add(row);
        else unknown.push(text);
      }
      return { time: clock.micros(), ticks: Array.from(rows, (row) => tickOf(table, row)), unknown };
    },
  };
};

function matching(table: MarketTable, prefix: string): number[] {
  const rows: number[] = [];
  for (let index = 0; index < table.knownCount; index++) {
    const row = table.known[index];
    if (table.symbols[row].startsWith(prefix)) rows.push(row);
  }
  return rows;
}

function tickOf(table: MarketTable, row: number): Record<string, unknown> {
  const tick: Record<string, unknown> = {
    symbol: table.symbols[row],
    seq: table.seq[row],
    eventTime: table.eventTime[row],
    state: STATES[table.state[row]],
  };
  for (let index = 0; index < FIELD_COUNT; index++) {
    const value = table.values[row * FIELD_COUNT + index];
    tick[FIELDS[index]] = Number.isNaN(value) ? null : value;
  }
  return tick;
}
