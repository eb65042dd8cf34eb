import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { ManualClock } from "../base/clock.ts";
import type { HeardStream } from "../bus/bus.ts";
import { RateLimitedLog } from "../log/rate_limited_log.ts";
import { type Health, HealthWatch } from "./health_watch.ts";

const WELL: Health = {
  unready: undefined,
  late: 0,
  lag: 0,
  connections: 10,
  connectionsLimit: 100,
  streams: [],
  recordsRefused: 0,
};

function bench() {
  const clock = new ManualClock();
  const lines: Record<string, unknown>[] = [];
  const log = pino({ base: null, timestamp: false }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const watch = new HealthWatch(new RateLimitedLog(log, clock));
  return {
    /** What a look some time later logs. */
    look(health: Partial<Health> = {}, passed = 250): string[] {
      clock.advance(passed);
      watch.check({ ...WELL, ...health }, clock.millis());
      return lines.splice(0).map(({ level, msg, ...fields }) => `${level} ${msg} ${JSON.stringify(fields)}`);
    },
  };
}

function stream(feed: string, shard: number, isSilent: boolean): HeardStream {
  return { stream: shard, feed, shard, epoch: 1, batch: 1, heardAt: 0, isSilent, isMissing: false };
}

test("readiness is told when it comes and when it goes, each once; that it has not come yet is no news", () => {
  const { look } = bench();
  assert.deepEqual(look({ unready: "not listening" }), []);
  assert.deepEqual(look(), ["30 ready {}"]);
  assert.deepEqual(look(), []);
  assert.deepEqual(look({ unready: "Redis is not connected: ECONNREFUSED" }), [
    '40 not ready {"reason":"Redis is not connected: ECONNREFUSED"}',
  ]);
  assert.deepEqual(look({ unready: "Redis is not connected: timeout" }), []);
  assert.deepEqual(look(), ["30 ready {}"]);
});

test("a saturated node says so once, until it has been in time for a while", () => {
  const { look } = bench();
  look();
  assert.deepEqual(look({ late: 3, lag: 340.4 }), [
    '40 saturated: clients get less than granted {"connections":10,"late":3,"lag":340}',
  ]);
  assert.deepEqual([look({ late: 9 }), look(), look({ late: 1 }), look({}, 4_000)], [[], [], [], []]);
  assert.deepEqual(look({}, 1_000), ['30 no longer saturated {"connections":10}']);
});

test("a feed that goes silent is one line, however many shards it has, and one when it is heard again", () => {
  const { look } = bench();
  const streams = (silent: number) => Array.from({ length: 32 }, (_, shard) => stream("sim", shard, shard < silent));
  look({ streams: streams(0) });
  assert.deepEqual(look({ streams: streams(5) }), [
    '40 nothing heard from a feed {"feed":"sim","silent":5,"shards":32}',
  ]);
  assert.deepEqual(look({ streams: streams(32) }), []);
  assert.deepEqual(look({ streams: streams(0) }), ['30 a feed is heard again {"feed":"sim"}']);
});

test("connections that run out and a table that is full are told", () => {
  const { look } = bench();
  look();
  assert.equal(look({ connections: 90 }).length, 1);
  assert.deepEqual([look({ connections: 95 }), look({ connections: 85 }), look({ connections: 91 })], [[], [], []]);
  look({ connections: 79 });
  assert.equal(look({ connections: 90 }).length, 1);
  assert.deepEqual(look({ recordsRefused: 7 }), ['40 the market table is full: symbols are left out {"refused":7}']);
  assert.deepEqual(look({ recordsRefused: 7 }), []);
});

test("what flaps is told a few times, and then counted", () => {
  const { look } = bench();
  let told = 0;
  for (let turn = 0; turn < 40; turn++) told += look({ unready: turn % 2 ? "flaps" : undefined }, 10).length;
  assert.equal(told, 10, "five times each");
});
