/** The market over HTTP, as JSON: for scripts and first steps that need no stream. */

import type { Clock } from "../../base/clock.ts";
import { FIELD_COUNT, FIELDS, isPattern, STATES } from "../../base/tick.ts";
import type { BusReader } from "../../bus/bus.ts";
import type { Authority, Identity } from "../../identity/identity.ts";
import type { GatewayTable, RowTable } from "../../market/gateway_table.ts";
import { textRange } from "../../market/symbol_index.ts";
import type { Settings } from "../../settings/settings.ts";
import { VisibleRows, type VisibleRowsParts } from "../access/visible_rows.ts";
import type { AdmittedRequest, HttpAdmission } from "../http/admission.ts";
import { RESPONSE_BYTES } from "../http/response_writer.ts";
import { readSymbolQuery } from "./symbol_query.ts";

/** How long an answer waits for the bus to read symbols that no client follows, and how often it checks, ms. */
const KNOWN_TIMEOUT = 1_000;
const KNOWN_INTERVAL = 10;

/** A query of some symbols, or of all (undefined). */
interface MarketQuery {
  readonly symbols: readonly string[] | undefined;
  /** The answer in pieces; each one has the market's values at the time when it is generated. */
  answer(): Iterator<string>;
  /** Whether there is anything to answer: if not, the symbol is not found. */
  isFound?(): boolean;
}

/** The parts of the gateway that answers use. */
export interface MarketParts extends VisibleRowsParts {
  readonly table: RowTable;
  readonly clock: Clock;
  readonly bus: BusReader;
  readonly authority: Authority;
  readonly settings: Pick<Settings, "maxSymbolsPerConnection">;
}

/** Parses the query of a request, or returns what is wrong with it. @param visible what the client may see */
export type ReadQuery = (
  query: URLSearchParams,
  context: MarketParts,
  visible: VisibleRows,
) => MarketQuery | { readonly error: string };

/** Answers a query of the market as soon as the bus knows the symbols. */
export function answerMarket(
  request: AdmittedRequest,
  read: ReadQuery,
  identity: Identity,
  context: MarketParts,
  admission: HttpAdmission,
): void {
  const { res, account } = request;
  const { responses: answers, budget } = admission;
  const headers = admission.dataHeaders(request);
  const visible = new VisibleRows(context);
  visible.identity = identity;
  const query = read(new URLSearchParams(request.query), context, visible);
  if ("error" in query) return answers.sendJson(res, { status: "400 Bad Request", headers }, query);
  const refused = budget.reserve(account, RESPONSE_BYTES);
  if (refused) return admission.refuse(request, refused);
  const { bus, clock } = context;
  const symbols = query.symbols ?? [undefined];
  for (const symbol of symbols) bus.follow(symbol);
  const deadline = clock.millis() + KNOWN_TIMEOUT;
  let timer: NodeJS.Timeout | undefined;
  const release = () => budget.release(account, RESPONSE_BYTES);
  const end = () => {
    clearTimeout(timer);
    for (const symbol of symbols) bus.unfollow(symbol);
  };
  const tryAnswer = () => {
    const known = symbols.every((symbol) => bus.isKnown(symbol));
    if (!known && clock.millis() < deadline) {
      timer = setTimeout(tryAnswer, KNOWN_INTERVAL);
      return;
    }
    end();
    const head = { status: "200 OK", type: "application/json; charset=utf-8", headers };
    // Meanwhile the policy may have changed.
    visible.identity = context.authority.review(identity);
    if (known && query.isFound && !query.isFound()) {
      release();
      return answers.sendJson(res, { status: "404 Not Found", headers }, { error: "the symbol is not known" });
    }
    if (known) return answers.stream(res, head, query.answer(), account, release);
    release();
    answers.sendJson(
      res,
      { status: "503 Service Unavailable", headers },
      { error: bus.unready() ?? "the market is not known yet" },
    );
  };
  res.onAborted(() => {
    end();
    release();
  });
  tryAnswer();
}

/** `GET /v1/symbols`: every symbol that has had a tick, in order; `?prefix=` for some of them. */
export const readSymbols: ReadQuery = (query, { table, clock }, visible) => ({
  symbols: undefined,
  *answer() {
    yield `{"time":${clock.micros()},"symbols":[`;
    let separator = "";
    for (const row of matching(table, visible, query.get("prefix") ?? "")) {
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
export const readTicks: ReadQuery = (query, { table, clock, settings }, visible) => {
  const asked = readSymbolQuery(query.get("symbols") ?? "", settings.maxSymbolsPerConnection);
  if ("error" in asked) return asked;
  const { texts } = asked;
  return {
    // For the others there is nothing to wait.
    symbols: texts.some(isPattern) ? undefined : texts.filter((text) => visible.accessTo(text)),
    *answer() {
      yield `{"time":${clock.micros()},"ticks":[`;
      const unknown: string[] = [];
      let separator = "";
      for (const text of texts) {
        for (const live of isPattern(text) ? matching(table, visible, text.slice(0, -1)) : [table.rowOf(text)]) {
          const row = live < 0 ? live : visible.rowOf(live);
          if (row < 0 || !table.hasTicked(row)) {
            if (!isPattern(text)) unknown.push(text);
          } else if (isPattern(text) || !asked.isCovered(text)) {
            yield separator + JSON.stringify(tickOf(table as GatewayTable, row, visible.delayOf(row)));
            separator = ",";
          }
        }
      }
      yield `],"unknown":${JSON.stringify(unknown)}}\n`;
    },
  };
};

/**
 * The live rows of the symbols with a prefix that the client may see, in order; symbols that are added later are not
 * included.
 */
function* matching(table: RowTable, visible: VisibleRows, prefix: string): Iterable<number> {
  const rows = table.sortedKnown();
  for (const text of visible.textsWithin(prefix)) {
    const [from, to] = textRange(table.symbols, rows, text);
    for (let index = from; index < to; index++) if (visible.accessTo(table.symbols[rows[index]])) yield rows[index];
  }
}

function tickOf(table: GatewayTable, row: number, delay: number): Record<string, unknown> {
  const tick: Record<string, unknown> = {
    symbol: table.symbols[row],
    seq: table.seq[row],
    eventTime: table.eventTime[row],
    state: STATES[table.state[row]],
    ...(delay > 0 && { delay }),
  };
  for (let index = 0; index < FIELD_COUNT; index++) {
    const value = table.payload.values[row * FIELD_COUNT + index];
    tick[FIELDS[index]] = Number.isNaN(value) ? null : value;
  }
  return tick;
}
