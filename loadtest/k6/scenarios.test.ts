import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultsOf, isInStorm, refusal, SCENARIOS, type Settings } from "./scenarios.ts";

/** The number of open connections at a time, ms. */
function openAt(name: string, settings: Settings, time: number): number {
  let open = 0;
  for (let client = 0; client < settings.connections; client++)
    for (const { from, to } of SCENARIOS[name].visits(client, settings)) if (from <= time && time < to) open++;
  return open;
}

for (const name of Object.keys(SCENARIOS))
  test(`${name}: its defaults are valid, and visits are not empty, outside of the test or overlapping`, () => {
    const settings = defaultsOf(name);
    assert.equal(refusal(name, settings), undefined);
    for (let client = 0; client < settings.connections; client++) {
      let before = 0;
      const visits = SCENARIOS[name].visits(client, settings);
      assert.ok(visits.length > 0);
      for (const { from, to } of visits) {
        assert.ok(from >= before && to > from && to <= settings.duration * 1_000, `client ${client}: ${from} to ${to}`);
        before = to;
      }
    }
  });

test("steady clients connect at their rate and stay until the end", () => {
  const settings = { ...defaultsOf("steady"), connections: 100, rate: 50, duration: 10 };
  assert.equal(openAt("steady", settings, 999), 50);
  assert.equal(openAt("steady", settings, 9_999), 100);
});

test("a ramp rises for half of the time and falls in the last quarter", () => {
  const settings = { ...defaultsOf("ramp"), connections: 100, duration: 40 };
  const open = [5, 10, 20, 29, 35, 39.9].map((seconds) => openAt("ramp", settings, seconds * 1_000 - 1));
  assert.deepEqual(open, [25, 50, 100, 100, 51, 2]);
});

test("a storm disconnects its share at once, and all reconnect in time", () => {
  const settings = { ...defaultsOf("spike"), connections: 100, storm: 30, within: 4, duration: 40, rate: 1_000 };
  const storm = SCENARIOS.spike.storm?.(settings);
  assert.ok(storm);
  assert.equal(openAt("spike", settings, storm.from - 1), 100);
  assert.equal(openAt("spike", settings, storm.from + 1), 70);
  const middle = openAt("spike", settings, storm.from + 2_500);
  assert.ok(middle > 80 && middle < 90, String(middle));
  assert.equal(openAt("spike", settings, storm.from + 4_600), 100);
  const clients = Array.from({ length: 100 }, (_, client) => isInStorm(client, settings));
  assert.equal(clients.filter(Boolean).length, 30);
});

test("half of a soak's clients stay, the others reconnect at different times", () => {
  const settings = { ...defaultsOf("soak"), connections: 100, duration: 600, rate: 1_000 };
  const open = Array.from({ length: 50 }, (_, index) => openAt("soak", settings, 20_000 + index * 10_000));
  assert.ok(Math.min(...open) > 85 && Math.max(...open) <= 100, open.join(" "));
  assert.equal(SCENARIOS.soak.visits(0, settings).length, 1);
  assert.ok(SCENARIOS.soak.visits(1, settings).length >= 9);
});

test("a scenario that does not fit into its duration is refused with the time it needs", () => {
  const steady = { ...defaultsOf("steady"), connections: 2_000, rate: 50, duration: 60 };
  assert.match(refusal("steady", steady) ?? "", /take 40 s, more than the half of --duration 60/);
  assert.match(refusal("spike", { ...defaultsOf("spike"), within: 40 }) ?? "", /--within 40 does not fit/);
});
