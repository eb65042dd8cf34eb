import assert from "node:assert/strict";
import { test } from "node:test";
import { decode } from "@msgpack/msgpack";
import fc from "fast-check";
import { Packr } from "msgpackr";
import { LIVE } from "../../base/tick.ts";
import { GatewayTable } from "../gateway_table.ts";
import { type Heap, HeapFull } from "../heap.ts";
import { ENTRY_BYTES, setEntryMark } from "../heap_layout.ts";
import type { Entries, Filling, RowGap } from "../row_encoder.ts";
import { markOf } from "../seq_mark.ts";
import { TradeEncoder } from "./trade_encoder.ts";
import { TRADE_JSON, TRADE_MSGPACK, type TradeFormat } from "./trade_format.ts";
import { TradePayload, TradeRecord } from "./trade_payload.ts";
import type { Trade } from "./trade_ring.ts";

const FIRST_HANDLE = 2 ** 27;
const SENT_AT = 1_700_000_000_123_456;
const TIME = 1_700_000_000_000_000;
const packr = new Packr({ useRecords: false });

/** What one client has been sent, and a frame for it. */
class Client implements Filling, Entries {
  at = 0;
  limit = 0;
  count = 0;
  conflated = 0;
  oldest = Number.NEGATIVE_INFINITY;
  readonly spare: Entries = { entries: 0 };
  readonly noted: number;
  readonly result = 0;
  readonly entries: number;
  readonly #start: number;
  readonly #rows: number;
  readonly #heap: Heap;
  readonly encoder: TradeEncoder;

  constructor(table: GatewayTable<TradePayload>, format: TradeFormat, isShared: boolean, rows: number) {
    const { heap } = table;
    this.#heap = heap;
    this.#rows = rows;
    this.encoder = new TradeEncoder(table, format, isShared);
    this.noted = heap.alloc(80_000);
    this.entries = heap.alloc(rows * ENTRY_BYTES);
    this.#start = heap.alloc(70_000);
    for (let row = 0; row < rows; row++) {
      heap.i32[(this.entries >>> 2) + row * 2] = row;
      setEntryMark(heap.u32, this.entries, row, 0);
    }
  }

  /** @returns the frame, what of it was missed before, and whether it is all */
  flush(room = 65_536): { bytes: Buffer; gaps: readonly RowGap[]; isAll: boolean } {
    const { format } = this.encoder;
    this.at = this.#start + format.headBytes;
    this.limit = this.#start + room;
    this.count = 0;
    const isAll = this.encoder.copyChanged(this, 0, this.#rows, this) === this.#rows;
    const first = format.finish(this.#heap, this.#start, this.at, this.count, SENT_AT);
    const bytes = Buffer.from(this.#heap.bytes.subarray(first, this.at + format.tailBytes));
    return { bytes, gaps: this.encoder.takeGaps(), isAll };
  }

  mark(row: number, mark: number): void {
    setEntryMark(this.#heap.u32, this.entries, row, mark);
  }
}

function tableOf(rows = 1, limits = { tradesPerSymbol: 64, maxTrades: 10_000 }) {
  const table = new GatewayTable<TradePayload>(10, new TradePayload(limits), undefined, FIRST_HANDLE);
  for (let row = 0; row < rows; row++) table.add(`S${row}`);
  return table;
}

function apply(table: GatewayTable<TradePayload>, row: number, seq: number, trade: Partial<Trade> = {}, now = seq) {
  const record = new TradeRecord();
  const head = { symbol: `S${row}`, seq, epoch: 1, eventTime: TIME + seq, state: LIVE, price: 1, size: 1 };
  table.apply(Object.assign(record, head, trade), now);
}

const size = fc.oneof(
  fc.integer({ min: 1, max: 2 ** 53 - 1 }),
  fc.double({ min: Number.MIN_VALUE, max: Number.MAX_VALUE, noNaN: true }),
  fc.constantFrom(1, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 0.1, 5e-324),
);
const printable = fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code));
const trade = fc.record({
  price: fc.oneof(size, fc.constant(0), fc.double({ noNaN: true, noDefaultInfinity: true })),
  size,
  side: fc.constantFrom(1, -1, 0),
  id: fc.oneof(
    fc.constant(null),
    fc.uuid(),
    fc.string({ unit: printable, minLength: 1, maxLength: 36 }),
    fc.constantFrom('"'.repeat(36), "\\".repeat(36), "x".repeat(31), "x".repeat(32), "x".repeat(36), "1"),
  ),
});

function plain(seq: number, row: number, { price, size, side, id }: Trade): unknown[] {
  return [FIRST_HANDLE + row, seq, TIME + seq, price === 0 ? 0 : price, size, side, id];
}

for (const isShared of [true, false])
  test(`a frame of trades is what another library writes of the same, ${isShared ? "kept" : "not kept"}`, () => {
    fc.assert(
      fc.property(
        fc.array(trade, { minLength: 1, maxLength: 60 }),
        fc.constantFrom(0, 100, 2 ** 32 - 20, 2 ** 40),
        (trades, base) => {
          const table = tableOf();
          const binary = [0, 1].map(() => new Client(table, TRADE_MSGPACK, isShared, 1));
          const text = new Client(table, TRADE_JSON, isShared, 1);
          trades.forEach((each, index) => {
            apply(table, 0, base + index + 1, each);
          });
          const expected = [SENT_AT, ...trades.map((each, index) => plain(base + index + 1, 0, each))];
          const frames = binary.map((client) => client.flush().bytes);
          assert.deepEqual(frames[0], frames[1]);
          assert.deepEqual(decode(frames[0]), expected);
          // It writes a whole number below 0 in fewer bytes.
          if (trades.every(({ price }) => price >= 0)) assert.deepEqual(frames[0], packr.pack(expected));
          assert.equal(text.flush().bytes.toString(), JSON.stringify(expected));
        },
      ),
      { numRuns: 150 },
    );
  });

test("no trade takes more bytes than a format says", () => {
  const longest = { price: -1.2345678901234568e-300, size: 1.2345678901234568e-300, side: -1, id: "\\".repeat(36) };
  for (const format of [TRADE_MSGPACK, TRADE_JSON]) {
    const table = tableOf();
    const client = new Client(table, format, true, 1);
    apply(table, 0, 2 ** 53 - 1, longest);
    const { bytes: frame } = client.flush();
    const most = format.headBytes + format.maxTradeBytes + format.tailBytes;
    assert.ok(frame.length <= most, `${frame.length} of ${most}`);
  }
});

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("apply" as const),
      row: fc.nat(1),
      jump: fc.constantFrom(1, 1, 1, 5),
      trade,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("flush" as const),
      client: fc.nat(3),
      room: fc.constantFrom(20, 150, 400, 65_536),
    }),
  },
);

test("each client gets each trade once and in order, or is told how many it missed before the next", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150, size: "max" }), fc.constantFrom(0, 2 ** 32 - 60), (steps, base) => {
      const table = tableOf(2, { tradesPerSymbol: 16, maxTrades: 32 });
      const clients = [TRADE_MSGPACK, TRADE_JSON].flatMap((format) =>
        [true, false].map((isShared) => ({
          client: new Client(table, format, isShared, 2),
          got: [0, 0],
          missed: [0, 0],
        })),
      );
      const seqs = [base, base];
      const sent: unknown[][][] = [[], []];
      const flush = (number: number, room: number) => {
        const { client, got, missed } = clients[number];
        const { bytes, gaps, isAll } = client.flush(room);
        const gone = [0, 0];
        for (const gap of gaps) {
          got[gap.row] += gap.missed;
          missed[gap.row] += gap.missed;
          gone[gap.row]++;
        }
        assert.ok(
          gone.every((count) => count <= 1),
          "one gap of a row before a frame",
        );
        const frame = (number < 2 ? decode(bytes) : JSON.parse(bytes.toString())) as [number, ...unknown[][]];
        for (const tick of frame.slice(1) as unknown[][]) {
          const row = (tick[0] as number) - FIRST_HANDLE;
          const expected = sent[row].find(([, seq]) => seq === tick[1]);
          assert.deepEqual(tick, expected);
          assert.equal(tick[1], got[row] + 1);
          got[row] = tick[1] as number;
        }
        return isAll;
      };
      for (const each of steps) {
        if (each.kind === "apply") {
          const isFirst = sent[each.row].length === 0;
          seqs[each.row] += each.jump;
          if (isFirst) for (const { got } of clients) got[each.row] = seqs[each.row] - 1;
          apply(table, each.row, seqs[each.row], each.trade);
          sent[each.row].push(plain(seqs[each.row], each.row, each.trade));
        } else flush(each.client, each.room);
      }
      for (const [number, { got }] of clients.entries()) {
        for (let count = 0; !flush(number, 65_536); count++) assert.ok(count < 100);
        for (const row of [0, 1]) if (sent[row].length > 0) assert.equal(got[row], seqs[row]);
        assert.equal(clients[number].client.flush().bytes.length, number < 2 ? 10 : 18, "nothing is left");
      }
    }),
    { numRuns: 150 },
  );
});

test("what is too old is missed, and told with its number", () => {
  const table = tableOf();
  const client = new Client(table, TRADE_JSON, true, 1);
  for (let seq = 1; seq <= 10; seq++) apply(table, 0, seq, {}, seq * 1_000);
  client.mark(0, markOf(2));
  client.oldest = 6_000;
  const { bytes, gaps } = client.flush();
  assert.deepEqual(gaps, [{ row: 0, missed: 3 }]);
  const [, ...ticks] = JSON.parse(bytes.toString()) as [number, ...number[][]];
  assert.deepEqual(
    ticks.map(([, seq]) => seq),
    [6, 7, 8, 9, 10],
  );
  apply(table, 0, 11, {}, 11_000);
  client.oldest = 12_000;
  assert.deepEqual(client.flush().gaps, [{ row: 0, missed: 1 }]);
  assert.deepEqual(client.flush().gaps, []);
});

test("a copy stops at 64 gaps, and the next one goes on", () => {
  const rows = 150;
  const limits = { tradesPerSymbol: 16, maxTrades: 10_000 };
  const table = new GatewayTable<TradePayload>(rows, new TradePayload(limits), undefined, FIRST_HANDLE);
  const client = new Client(table, TRADE_JSON, true, rows);
  for (let row = 0; row < rows; row++) {
    apply(table, row, 1);
    apply(table, row, 3);
    client.mark(row, markOf(1));
  }
  const counts: number[] = [];
  for (let isAll = false; !isAll; ) {
    const flushed = client.flush();
    counts.push(flushed.gaps.length);
    isAll = flushed.isAll;
  }
  assert.deepEqual(counts, [64, 64, 22]);
});

test("a grant begins with what was not sent, and with as many of the latest as are there without a gap", () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(1, 1, 1, 1, 4), { minLength: 1, maxLength: 40 }),
      fc.nat(60),
      fc.nat(70),
      (jumps, back, last) => {
        const table = tableOf(1, { tradesPerSymbol: 16, maxTrades: 16 });
        const { encoder } = new Client(table, TRADE_JSON, true, 1);
        assert.equal(encoder.firstMark(0, 0, last), 0, "before the first trade");
        assert.equal(encoder.countBehind(0, 0), 0);
        const kept: number[] = [];
        let seq = 0;
        for (const jump of jumps) {
          seq += jump;
          apply(table, 0, seq);
          kept.push(seq);
        }
        const latest = kept.slice(-16);
        let run = 1;
        while (run < latest.length && latest[latest.length - run - 1] === seq - run) run++;
        // New: nothing was sent.
        assert.equal(encoder.firstMark(0, 0, last), markOf(seq - Math.min(last, run)));
        assert.equal(encoder.countBehind(0, encoder.firstMark(0, 0, last)), Math.min(last, run));
        // Held: sent up to some number.
        const sent = Math.max(1, seq - back);
        const unsent = seq - sent;
        const mark = encoder.firstMark(0, markOf(sent), last);
        assert.equal(mark, markOf(seq - Math.max(unsent, Math.min(last, run))));
        assert.equal(encoder.countBehind(0, mark), Math.min(run, Math.max(unsent, Math.min(last, run))));
      },
    ),
  );
});

test("where the heap is full, trades are encoded each time, and memory that is closed comes back", () => {
  const table = tableOf();
  const client = new Client(table, TRADE_MSGPACK, true, 1);
  const { heap } = table;
  const alloc = heap.alloc.bind(heap);
  apply(table, 0, 1, { id: "one" });
  heap.alloc = () => {
    throw new HeapFull("full");
  };
  const first = client.flush().bytes;
  assert.deepEqual(decode(first), [SENT_AT, plain(1, 0, { price: 1, size: 1, side: 0, id: "one" })]);
  heap.alloc = alloc;
  const given: number[] = [];
  const free = heap.free.bind(heap);
  heap.free = (at, bytes) => {
    given.push(bytes);
    free(at, bytes);
  };
  client.mark(0, 0);
  assert.deepEqual(client.flush().bytes, first);
  for (let seq = 2; seq <= 20; seq++) apply(table, 0, seq);
  client.flush();
  assert.equal(given.length, 1, "the block of the smaller ring");
  client.encoder.close();
  assert.equal(given.length, 2);
});
