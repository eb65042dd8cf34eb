/** A hash that is read in slices: all of it is given, the marks before, and no slice is large. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Redis } from "ioredis";
import { quiet, until } from "../../../test/support/bus_bench.ts";
import { RedisServer } from "../../../test/support/redis_server.ts";
import { SystemClock } from "../../base/clock.ts";
import { RedisDownError, RedisLink } from "./connection/link.ts";
import { scanHash, scanValues } from "./hash_scan.ts";

const FIELDS = 5_000;
let server: RedisServer;
let link: RedisLink;

before(async () => {
  server = await RedisServer.start();
  link = new RedisLink(new Redis(server.port, { lazyConnect: true }), "test", new SystemClock(), quiet);
  link.open();
  await until("there is a connection", () => link.isUp);
  const client = server.client();
  await client.hset("h", Object.fromEntries(Array.from({ length: FIELDS }, (_, index) => [`S${index}`, `v${index}`])));
  await client.hset("h", "#F", "1:2:F", "#G", "1:3:G");
  client.disconnect();
});
after(async () => {
  link.close();
  await server.stop();
});

test("first the marks come and nothing else, then every field with its value, in slices", async () => {
  const [marks, values] = [new Map<string, string>(), new Map<string, string>()];
  const largest: number[] = [];
  const into = (map: Map<string, string>) => (entries: readonly Buffer[]) => {
    if (map === marks) assert.equal(values.size, 0);
    for (let index = 0; index < entries.length; index += 2) map.set(String(entries[index]), String(entries[index + 1]));
    largest.push(entries.length / 2);
    return true;
  };
  assert.equal(await scanHash(link, "h", into(marks), into(values)), true);
  assert.deepEqual([...marks].toSorted(), [
    ["#F", "1:2:F"],
    ["#G", "1:3:G"],
  ]);
  assert.equal(values.size, FIELDS + 2);
  for (let index = 0; index < FIELDS; index++) assert.equal(values.get(`S${index}`), `v${index}`);
  assert.ok(Math.max(...largest) <= 600, `${Math.max(...largest)} fields in one slice`);
});

test("who has seen enough ends it, and there may be nothing", async () => {
  let slices = 0;
  await scanValues(link, "h", () => ++slices < 3);
  assert.equal(slices, 3);
  assert.equal(await scanValues(link, "none", (entries) => entries.length === 0), true);
});

test("a server that is another one in the middle of it is no longer asked by the cursor of the first", async () => {
  const client = server.client();
  const read = scanValues(link, "h", () => {
    // As if the connection had been lost and come back between two slices.
    Object.defineProperty(link, "reconnects", { value: 7, configurable: true });
    return true;
  });
  await assert.rejects(read, RedisDownError);
  Reflect.deleteProperty(link, "reconnects");
  client.disconnect();
});
