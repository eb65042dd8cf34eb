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

type Answer = (
  res: HttpResponse,
  query: URLSearchParams,
  context: GatewayContext,
  headers: Readonly<Record<string, string>>,
) => void;

/** `GET /v1/symbols`: every symbol that has had a tick, in order; `?prefix=` for some of them. */
export const answerSymbols: Answer = (res, query, { table, clock }, headers) => {
  const rows = matching(table, query.get("prefix") ?? "");
  const symbols = rows.map((row) => table.symbols[row]).sort();
  respond(res, "200 OK", { time: clock.micros(), symbols }, headers);
};

/**
 * `GET /v1/ticks?symbols=A,B`: the latest tick of each, which may be patterns too. Symbols that have had no tick are
 * listed as `unknown`.
 */
export const answerTicks: Answer = (res, query, { table, clock, settings }, headers) => {
  const texts = (query.get("symbols") ?? "").split(",").filter((text) => text !== "");
  const wrong = texts.find((text) => !isSymbol(text) && !isPattern(text));
  if (texts.length === 0 || wrong !== undefined) {
    const error = wrong === undefined ? "symbols is missing: ?symbols=A,B" : `not a symbol: ${wrong.slice(0, 64)}`;
    respond(res, "400 Bad Request", { error }, headers);
    return;
  }
  const rows = new Set<number>();
  const unknown: string[] = [];
  for (const text of texts) {
    if (isPattern(text)) for (const row of matching(table, text.slice(0, -1))) rows.add(row);
    else {
      const row = table.rowOf(text);
      if (row >= 0 && table.seq[row] > 0) rows.add(row);
      else unknown.push(text);
    }
  }
  if (rows.size > settings.maxSymbolsPerConnection) {
    const error = `more than ${settings.maxSymbolsPerConnection} symbols`;
    respond(res, "400 Bad Request", { error }, headers);
    return;
  }
  const ticks = Array.from(rows, (row) => tickOf(table, row));
  respond(res, "200 OK", { time: clock.micros(), ticks, unknown }, headers);
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
