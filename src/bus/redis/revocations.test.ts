/** What a gateway makes of the lists that it reads. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { ManualClock } from "../../base/clock.ts";
import type { Revocation } from "../bus.ts";
import type { RedisLink } from "./connection/link.ts";
import { RedisRevocations } from "./revocations.ts";
import { RedisKeys } from "./shard.ts";

test("what is in force stays so: after a loss, and beside a shorter one", async () => {
  const clock = new ManualClock(1_000_000);
  let up = () => {};
  const stored = new Map<string, string | null>();
  const link = {
    isUp: true,
    onUp: (listener: () => void) => {
      up = listener;
    },
    call: async (_command: string, [key]: string[]) => stored.get(String(key)) ?? null,
  } as unknown as RedisLink;
  const keys = new RedisKeys("t", 1);
  const revocations = new RedisRevocations(link, keys, clock, pino({ level: "silent" }));
  let known: readonly Revocation[] = [];
  const read = async (version: string | null, list: Revocation[]) => {
    stored.set(keys.revocations().version, version);
    stored.set(keys.revocations().list, JSON.stringify(list));
    const before = known;
    up();
    while (known === before) await new Promise(setImmediate);
  };
  revocations.watch((all) => {
    known = all;
  });
  revocations.close();
  const ann = { kind: "subject", value: "ann", issuedBefore: 5, until: 9_000_000 } as const;
  await read("a", [ann]);
  assert.deepEqual(known, [ann]);
  await read(null, []);
  assert.deepEqual(known, [ann], "Redis has lost it");
  await read("b", [{ ...ann, issuedBefore: 3, until: 2_000_000 }]);
  assert.deepEqual(known, [ann], "the longer one counts");
  await read("c", [{ ...ann, issuedBefore: 7, until: 2_000_000 }]);
  assert.deepEqual(known, [{ ...ann, issuedBefore: 7 }]);
});
