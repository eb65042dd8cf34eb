import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../../base/clock.ts";
import { LIVE, STALE } from "../../base/tick.ts";
import { GrantedSymbols } from "../../identity/grants.ts";
import type { Identity } from "../../identity/identity.ts";
import { OPEN_AUTHORITY } from "../../identity/open_authority.ts";
import { BookPayload, BookRecord } from "../../market/book/book_payload.ts";
import type { BusRecord } from "../../market/bus_record.ts";
import { GatewayTable, type RowTable } from "../../market/gateway_table.ts";
import { TradePayload, TradeRecord } from "../../market/trade/trade_payload.ts";
import type { Channel } from "../../protocol/messages.ts";
import { VisibleRows } from "../access/visible_rows.ts";
import { NoDelayedRows } from "../delay/delayed_rows.ts";
import { readBook, readTrades } from "./channel_api.ts";
import type { MarketParts, ReadQuery } from "./market_api.ts";

const OPEN = OPEN_AUTHORITY.anonymous as Identity;
/** What is written at once must be small: the memory of an answer is limited (response_writer.ts). */
const MOST_PIECE = 4_096;

function partsOf(channel: Channel, table: RowTable): MarketParts {
  const delays = new NoDelayedRows(table);
  return { channel, table, delays, clock: new ManualClock(), authority: OPEN_AUTHORITY } as never;
}

function ask(read: ReadQuery, parts: MarketParts, query: string, identity = OPEN) {
  const visible = new VisibleRows(parts);
  visible.identity = identity;
  const asked = read(new URLSearchParams(query), parts, visible);
  return "error" in asked ? assert.fail(asked.error) : asked;
}

function errorOf(read: ReadQuery, parts: MarketParts, query: string): string {
  const asked = read(new URLSearchParams(query), parts, new VisibleRows(parts));
  return "error" in asked ? asked.error : assert.fail();
}

/** @param between is called after each piece */
function textOf(pieces: Iterator<string>, between = () => {}): Record<string, unknown> {
  let text = "";
  for (let next = pieces.next(); !next.done; next = pieces.next()) {
    assert.ok(next.value.length <= MOST_PIECE, `a piece of ${next.value.length}`);
    text += next.value;
    between();
  }
  return JSON.parse(text) as Record<string, unknown>;
}

function tradesTable() {
  const payload = new TradePayload({ tradesPerSymbol: 1_024, maxTrades: 10_000 });
  const table = new GatewayTable<TradePayload>(10, payload);
  const trade = (seq: number, part: Partial<BusRecord> = {}) => {
    const own = { price: seq / 2, size: 1, side: (seq % 3) - 1, id: seq % 2 === 0 ? `"${seq}` : null };
    const head = { symbol: "A", seq, epoch: 1, eventTime: 1e15 + seq, state: LIVE, since: 1 };
    table.apply(Object.assign(new TradeRecord(), head, own, part), seq);
  };
  return { table, trade, parts: partsOf("trade", table as unknown as RowTable) };
}

test("the latest trades come oldest first, as many as asked for, in small pieces", () => {
  const { trade, parts } = tradesTable();
  for (let seq = 1; seq <= 1_100; seq++) trade(seq);
  for (const [query, count] of [
    ["symbol=A", 100],
    ["symbol=A&last=1", 1],
    ["symbol=A&last=1000", 1_000],
  ] as const) {
    const { trades, ...head } = textOf(ask(readTrades, parts, query).answer());
    assert.deepEqual(head, {
      time: parts.clock.micros(),
      symbol: "A",
      seq: 1_100,
      eventTime: 1e15 + 1_100,
      state: "live",
    });
    const expected = Array.from({ length: count }, (_, index) => {
      const seq = 1_101 - count + index;
      const id = seq % 2 === 0 ? `"${seq}` : null;
      return { seq, eventTime: 1e15 + seq, price: seq / 2, size: 1, side: (seq % 3) - 1, id };
    });
    assert.deepEqual(trades, expected);
  }
  trade(1_101, { state: STALE, reason: "cut" });
  const { state, reason } = textOf(ask(readTrades, parts, "symbol=A").answer());
  assert.deepEqual([state, reason], ["stale", "cut"]);
});

test("trades that are overwritten while an answer is read slowly are left out", () => {
  const { trade, parts } = tradesTable();
  for (let seq = 1; seq <= 1_100; seq++) trade(seq);
  let seq = 1_100;
  const { trades } = textOf(ask(readTrades, parts, "symbol=A&last=1000").answer(), () => {
    for (let count = 0; count < 3; count++) trade(++seq);
  });
  const numbers = (trades as { seq: number; price: number }[]).map((each) => {
    assert.equal(each.price, each.seq / 2);
    return each.seq;
  });
  assert.ok(numbers.length > 100 && numbers.length < 1_000, `${numbers.length}`);
  for (let index = 1; index < numbers.length; index++) assert.ok(numbers[index] > numbers[index - 1]);
  // The count begins anew behind the head: the list has what there is then, and nothing of before.
  seq = 0;
  const rest = textOf(ask(readTrades, parts, "symbol=A").answer(), () => trade(++seq, { epoch: 2 }));
  assert.deepEqual(
    (rest.trades as { seq: number }[]).map((each) => each.seq),
    [1],
  );
});

test("a book comes to the depth asked for, whatever it has", () => {
  const table = new GatewayTable<BookPayload>(10, new BookPayload());
  const record = Object.assign(new BookRecord(), {
    symbol: "A",
    seq: 5,
    epoch: 1,
    eventTime: 1e15,
    state: LIVE,
    since: 1,
  });
  record.bids.set(Array.from({ length: 100 }, (_, index) => 100 - index));
  Object.assign(record, { bidLevels: 50, askLevels: 0 });
  table.apply(record, 1);
  const parts = partsOf("book", table as unknown as RowTable);
  const read = (query: string) => {
    return textOf(ask(readBook, parts, query).answer()) as unknown as { bids: number[]; asks: number[] };
  };
  for (const depth of [1, 7, 50]) {
    const { bids, asks } = read(`symbol=A&depth=${depth}`);
    assert.deepEqual([bids, asks], [Array.from({ length: depth * 2 }, (_, index) => 100 - index), []]);
  }
  assert.equal(read("symbol=A").bids.length, 20);
});

test("what is not known, not allowed or allowed only late is not found, and nobody waits for it", () => {
  const { trade, parts } = tradesTable();
  trade(1);
  const identity = (delay: number, ...symbols: string[]): Identity => {
    const grants = [{ symbols, channels: ["trade" as const], interval: 0, delay }];
    return { ...OPEN, entitlements: new GrantedSymbols(grants) };
  };
  const found = (query: string, who?: Identity) => {
    const asked = ask(readTrades, parts, query, who);
    return [asked.isFound?.(), asked.symbols];
  };
  assert.deepEqual(found("symbol=A"), [true, ["A"]]);
  assert.deepEqual(found("symbol=NONE"), [false, ["NONE"]]);
  assert.deepEqual(found("symbol=A", identity(0, "A")), [true, ["A"]]);
  for (const who of [identity(0, "B*"), identity(500, "A"), identity(500, "*"), identity(0)])
    for (const symbol of ["A", "NONE"]) assert.deepEqual(found(`symbol=${symbol}`, who), [false, []]);
});

test("a wrong query is named", () => {
  const { parts } = tradesTable();
  for (const query of ["", "symbol=", "symbol=a%20b", "symbol=A*"])
    for (const read of [readBook, readTrades]) assert.match(errorOf(read, parts, query), /^symbol is missing/);
  for (const last of ["0", "1001", "-1", "1.5", "x", "1e2", "9999999999"])
    assert.match(errorOf(readTrades, parts, `symbol=A&last=${last}`), /from 1 to 1000$/);
  for (const depth of ["0", "51", "x"])
    assert.match(errorOf(readBook, parts, `symbol=A&depth=${depth}`), /from 1 to 50$/);
});
