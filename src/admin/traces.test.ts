import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AdminTraces } from "./traces.ts";

function bench() {
  const traces = new AdminTraces();
  const ended: string[] = [];
  const add = (client: string, name: string) => traces.add(client, () => ended.push(name));
  return { traces, ended, add };
}

test("a client's fifth trace ends its first", () => {
  const { traces, ended, add } = bench();
  for (const name of ["a1", "a2", "a3", "a4", "a5", "a6"]) add("a", name);
  assert.deepEqual(ended, ["a1", "a2"]);
  add("b", "b1");
  assert.deepEqual([ended.length, traces.size], [2, 5]);
});

test("the ninth of all ends the oldest of the client that has the most", () => {
  const { ended, add } = bench();
  add("c", "c1");
  for (const name of ["a1", "a2", "a3", "a4"]) add("a", name);
  for (const name of ["b1", "b2", "b3"]) add("b", name);
  add("d", "d1");
  assert.deepEqual(ended, ["a1"]);
});

test("one that has ended by itself makes room, and is not ended again", () => {
  const { traces, ended, add } = bench();
  const forget = add("a", "a1");
  forget();
  forget();
  assert.equal(traces.size, 0);
  for (const name of ["a2", "a3", "a4", "a5"]) add("a", name);
  assert.deepEqual(ended, []);
});

test("there are never more than eight, nor four of one client, and the newest is always among them", () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom("a", "b", "c", "d", "e", "f", "g", "h", "i"), { maxLength: 60 }),
      (clients) => {
        const traces = new AdminTraces();
        const open = new Map<number, string>();
        for (const [index, client] of clients.entries()) {
          traces.add(client, () => open.delete(index));
          open.set(index, client);
          assert.equal(open.size, traces.size);
          assert.ok(open.size <= 8);
          assert.ok([...open.values()].filter((each) => each === client).length <= 4);
        }
      },
    ),
  );
});
