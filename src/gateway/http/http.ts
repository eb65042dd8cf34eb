/** The market over HTTP, as JSON: for a script or a first try, where a stream would be too much. */

import type { Clock } from "../../base/clock.ts";
import { FIELD_COUNT, FIELDS, isPattern, STATES } from "../../base/tick.ts";
import type { BusReader } from "../../bus/bus.ts";
import type { GatewayTable } from "../../market/gateway_table.ts";
import { prefixRange } from "../../market/symbol_index.ts";
import type { Settings } from "../../settings/settings.ts";
import { ANSWER_BYTES } from "./answers.ts";
import type { Admitted, HttpDoor } from "./door.ts";
import { readSymbolQuery } from "./query.ts";

/** How long an answer waits for what nobody had followed to be read from the bus, ms. */
const KNOWN_TIME = 1_000;
const KNOWN_LOOK = 10;

/** What is asked of the market: some symbols, or every one (undefined). */
interface Question {
  readonly symbols: readonly string[] | undefined;
  /** The answer in pieces, each as the market is when it is taken. */
  answer(): Iterator<string>;
}

/** What answers need of the gateway. */
export interface MarketParts {
  readonly table: GatewayTable;
  readonly clock: Clock;
  readonly bus: BusReader;
  readonly settings: Pick<Settings, "maxSymbolsPerConnection">;
}

/** Reads a question from a query, or says what is wrong with it. */
export type Read = (query: URLSearchParams, context: MarketParts) => Question | { readonly error: string };

/** Answers a question about the market, when the bus knows what it is about. */
export function answerMarket(request: Admitted, read: Read, context: MarketParts, door: HttpDoor): void {
  const { res, account } = request;
  const { answers, budget } = door;
  const headers = door.dataHeaders(request);
  const question = read(new URLSearchParams(request.query), context);
  if ("error" in question) return answers.json(res, { status: "400 Bad Request", headers }, question);
  const refused = budget.reserve(account, ANSWER_BYTES);
  if (refused) return door.refuse(request, refused);
  const { bus, clock } = context;
  const symbols = question.symbols ?? [undefined];
  for (const symbol of symbols) bus.follow(symbol);
  const deadline = clock.millis() + KNOWN_TIME;
  let timer: NodeJS.Timeout | undefined;
  const release = () => budget.release(account, ANSWER_BYTES);
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
    const head = { status: "200 OK", type: "application/json; charset=utf-8", headers };
    if (known) return answers.stream(res, head, question.answer(), account, release);
    release();
    answers.json(
      res,
      { status: "503 Service Unavailable", headers },
      { error: bus.unready() ?? "the market is not known yet" },
    );
  };
  res.onAborted(() => {
    end();
    release();
  });
  look();
}

/** `GET /v1/symbols`: every symbol that has had a tick, in order; `?prefix=` for some of them. */
export const readSymbols: Read = (query, { table, clock }) => ({
  symbols: undefined,
  *answer() {
    yield `{"time":${clock.micros()},"symbols":[`;
    let separator = "";
    for (const row of matching(table, query.get("prefix") ?? "")) {
      yield `${separator}${JSON.stringify(table.symbols[row])}`;
      separator = ",";
    }
    yield "]}\n";
  },
});

/**
 * `GET /v1/ticks?symbols=A,B`: the latest tick of each, which may be patterns too. Symbols that have had no tick are
 * listed as `unknown`.
 */
export const readTicks: Read = (query, { table, clock, settings }) => {
  const asked = readSymbolQuery(query.get("symbols") ?? "", settings.maxSymbolsPerConnection);
  if ("error" in asked) return asked;
  const { texts } = asked;
  return {
    symbols: texts.some(isPattern) ? undefined : texts,
    *answer() {
      yield `{"time":${clock.micros()},"ticks":[`;
      const unknown: string[] = [];
      let separator = "";
      for (const text of texts) {
        for (const row of isPattern(text) ? matching(table, text.slice(0, -1)) : [table.rowOf(text)]) {
          if (row < 0 || !table.hasTicked(row)) unknown.push(text);
          else if (isPattern(text) || !asked.isCovered(text)) {
            yield separator + JSON.stringify(tickOf(table, row));
            separator = ",";
          }
        }
      }
      yield `],"unknown":${JSON.stringify(unknown)}}\n`;
    },
  };
};

/** The rows of the symbols with a prefix, in order, as they are now: those that come later are not among them. */
function* matching(table: GatewayTable, prefix: string): Iterable<number> {
  const rows = table.sortedKnown();
  const [from, to] = prefixRange(table.symbols, rows, prefix);
  for (let index = from; index < to; index++) yield rows[index];
}

function tickOf(table: GatewayTable, row: number): Record<string, unknown> {
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
