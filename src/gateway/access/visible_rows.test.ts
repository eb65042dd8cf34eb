import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ManualClock } from "../../base/clock.ts";
import { isPattern } from "../../base/tick.ts";
import { type Grant, GrantedSymbols } from "../../identity/grants.ts";
import { OPEN_AUTHORITY } from "../../identity/open_authority.ts";
import { GatewayTable } from "../../market/gateway_table.ts";
import { marketOf } from "../../market/market_name.ts";
import { CHANNELS } from "../../protocol/messages.ts";
import { NoDelayedRows } from "../delay/delayed_rows.ts";
import { VisibleRows } from "./visible_rows.ts";

const name = fc.string({ unit: fc.constantFrom("A", "B", "!", "-"), minLength: 0, maxLength: 3 });
const grant: fc.Arbitrary<Grant> = fc.record({
  symbols: fc.array(
    fc.tuple(name, fc.boolean()).map(([text, isPrefix]) => (isPrefix ? `${text}*` : `A${text}`)),
    { maxLength: 4 },
  ),
  channels: fc.subarray([...CHANNELS]),
  interval: fc.constant(0),
  delay: fc.constantFrom(0, 0, 500),
});

test("what is searched for a pattern is what the client may see under it, each symbol once and in order", () => {
  fc.assert(
    fc.property(
      fc.array(grant, { maxLength: 5 }),
      fc.constantFrom(...CHANNELS),
      name,
      fc.uniqueArray(name, { maxLength: 30 }),
      (grants, channel, prefix, symbols) => {
        const table = new GatewayTable(1);
        const visible = new VisibleRows({
          name: marketOf(channel),
          table,
          delays: new NoDelayedRows(table),
          clock: new ManualClock(),
        });
        visible.identity = { ...OPEN_AUTHORITY.anonymous, entitlements: new GrantedSymbols(grants) } as never;
        const found = visible
          .textsWithin(prefix)
          .flatMap((text) =>
            symbols
              .filter((symbol) => (isPattern(text) ? symbol.startsWith(text.slice(0, -1)) : symbol === text))
              .toSorted(),
          );
        const expected = symbols.filter((symbol) => symbol.startsWith(prefix) && visible.accessTo(symbol)).toSorted();
        assert.deepEqual(found, expected);
      },
    ),
    { numRuns: 2_000 },
  );
});
