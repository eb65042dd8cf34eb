import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultsOf, isInStorm, refusal, SCENARIOS, type Settings } from "./scenarios.ts";

/** How many connections are open at a time, ms. */
function openAt(name: string, settings: Settings, time: number): number {
  let open = 0;
  for (let seat = 0; seat < settings.connections; seat++)
    for (const { from, to } of SCENARIOS[name].visits(seat, settings)) if (from <= time && time < to) open++;
  return open;
}

for (const name of Object.keys(SCENARIOS))
  test(`${name}: with its defaults it can be run, and no visit is empty, out of time or before another has ended`, () => {
    const settings = defaultsOf(name);
    assert.equal(refusal(name, settings), undefined);
    for (let seat = 0; seat < settings.connections; seat++) {
      let before = 0;
      const visits = SCENARIOS[name].visits(seat, settings);
      assert.ok(visits.length > 0);
      for (const { from, to } of visits) {
        assert.ok(from >= before && to > from && to <= settings.duration * 1_000, `seat ${seat}: ${from} to ${to}`);
        before = to;
      }
    }
  });

test("steady clients are there until the end, opened at their rate", () => {
  const settings = { ...defaultsOf("steady"), connections: 100, rate: 50, duration: 10 };
  assert.equal(openAt("steady", settings, 999), 50);
  assert.equal(openAt("steady", settings, 9_999), 100);
});

test("a ramp goes up for the half of the time, and down in the last quarter", () => {
  const settings = { ...defaultsOf("ramp"), connections: 100, duration: 40 };
  const open = [5, 10, 20, 29, 35, 39.9].map((seconds) => openAt("ramp", settings, seconds * 1_000 - 1));
  assert.deepEqual(open, [25, 50, 100, 100, 51, 2]);
});

test("a storm cuts its share off at once, and has them back within its time", () => {
  const settings = { ...defaultsOf("spike"), connections: 100, storm: 30, within: 4, duration: 40, rate: 1_000 };
  const storm = SCENARIOS.spike.storm?.(settings);
  assert.ok(storm);
  assert.equal(openAt("spike", settings, storm.from - 1), 100);
  assert.equal(openAt("spike", settings, storm.from + 1), 70);
  const middle = openAt("spike", settings, storm.from + 2_500);
  assert.ok(middle > 80 && middle < 90, String(middle));
  assert.equal(openAt("spike", settings, storm.from + 4_600), 100);
  const seats = Array.from({ length: 100 }, (_, seat) => isInStorm(seat, settings));
  assert.equal(seats.filter(Boolean).length, 30);
});

test("half of a soak's clients stay, the others come and go, not together", () => {
  const settings = { ...defaultsOf("soak"), connections: 100, duration: 600, rate: 1_000 };
  const open = Array.from({ length: 50 }, (_, index) => openAt("soak", settings, 20_000 + index * 10_000));
  assert.ok(Math.min(...open) > 85 && Math.max(...open) <= 100, open.join(" "));
  assert.equal(SCENARIOS.soak.visits(0, settings).length, 1);
  assert.ok(SCENARIOS.soak.visits(1, settings).length >= 9);
});

test("what does not fit into its time is refused with what it takes", () => {
  const steady = { ...defaultsOf("steady"), connections: 2_000, rate: 50, duration: 60 };
  assert.match(refusal("steady", steady) ?? "", /take 40 s, more than the half of --duration 60/);
  assert.match(refusal("spike", { ...defaultsOf("spike"), within: 40 }) ?? "", /--within 40 does not fit/);
});
