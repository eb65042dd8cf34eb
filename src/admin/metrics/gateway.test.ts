import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { testSettings } from "../../../test/support/session_bench.ts";
import { ManualClock } from "../../base/clock.ts";
import { STALE } from "../../base/tick.ts";
import type { HeardStream } from "../../bus/bus.ts";
import { MemoryBus } from "../../bus/memory.ts";
import { Gateway } from "../../gateway/gateway.ts";
import { BusRecord } from "../../market/bus_record.ts";
import { showGateway } from "./gateway.ts";
import { Page } from "./page.ts";

/** A bus of two parts, of which one is listened to. */
class HalfHeardBus extends MemoryBus {
  override heard(): HeardStream[] {
    const heard = { feed: "sim", shard: 0, epoch: 1, batch: 1, heardAt: 0, isSilent: true, isMissing: false };
    return [{ ...heard, stream: 0 }];
  }
}

test("a symbol that is stale where nobody listens is not counted as stale", async () => {
  const bus = new HalfHeardBus(new ManualClock());
  const gateway = new Gateway(testSettings(), bus, new ManualClock(), pino({ enabled: false }));
  const record = new BusRecord();
  for (const [index, symbol] of ["A", "B", "C", "D", "E"].entries()) {
    record.symbol = symbol;
    record.seq = 1;
    record.stream = index < 2 ? 0 : 1;
    record.state = STALE;
    gateway.table.applyAt(gateway.table.add(symbol), record, 1);
  }
  const page = new Page({});
  showGateway(page, gateway, { reader: () => bus }, 100);
  const body = await page.body();
  assert.match(body, /^tickgate_symbols 5$/m);
  assert.match(body, /^tickgate_stale_symbols 2$/m);
  assert.match(body, /^tickgate_feed_stale_symbols\{feed="sim"\} 2$/m);
  gateway.close();
});
