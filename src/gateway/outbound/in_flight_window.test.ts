import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SETTINGS } from "../../settings/settings.ts";
import { InFlightWindow } from "./in_flight_window.ts";

const MIN = SETTINGS.windowMin.default;
const MAX = SETTINGS.windowMax.default;
const DELAY = SETTINGS.windowDelay.default;
const PING_BYTES = 6;

/** What is on its way: a frame, or the ping of a number. */
interface Item {
  bytes: number;
  readonly sentAt: number;
  readonly ping: number | undefined;
}

/**
 * A gateway with more to say than fits, a link that takes in whatever it is given, and a reader at its end: one queue,
 * gone through at `rate`, and a pong that takes a round trip.
 */
class Network {
  readonly window: InFlightWindow;
  now = 0;
  /** What the reader takes in, bytes per ms. */
  rate: number;
  /** Of the empty link, ms. */
  roundTrip: number;
  readonly #frameBytes: number;
  readonly #queue: Item[] = [];
  readonly #pongs: { number: number; at: number }[] = [];
  #waiting = false;
  #credit = 0;
  /** Bytes that have arrived, and the age of the frame that arrived last, ms. */
  arrived = 0;
  age = 0;
  mostInFlight = 0;
  mostPings = 0;

  /**
   * @param offered what there is to say, bytes per ms, in one frame every 100 ms
   * @param roundTrip of the empty link, ms
   */
  constructor(rate: number, offered: number, roundTrip: number) {
    this.rate = rate;
    this.#frameBytes = offered * 100;
    this.roundTrip = roundTrip;
    this.window = new InFlightWindow(MIN, MAX, DELAY, 0);
    this.#ping();
  }

  /** Lets time pass. Returns the bytes that arrived in it. */
  pass(millis: number): number {
    const before = this.arrived;
    this.mostInFlight = 0;
    for (const end = this.now + millis; this.now < end; ) {
      this.now++;
      if (this.now % 100 === 0) this.#offer();
      if (this.now % 250 === 0 && this.window.canPing && this.window.isPingDue(this.now)) this.#ping();
      this.#read();
      while (this.#pongs.length > 0 && this.#pongs[0].at <= this.now) {
        this.window.pong(this.#pongs.shift()!.number, this.now);
        if (this.#waiting) this.#offer();
      }
      this.mostInFlight = Math.max(this.mostInFlight, this.window.inFlight);
      this.mostPings = Math.max(
        this.mostPings,
        this.#pongs.length + this.#queue.filter((item) => item.ping !== undefined).length,
      );
    }
    return this.arrived - before;
  }

  /** Sends what changed, in frames as large as there is room for; a pass that finds none waits for a pong. */
  #offer(): void {
    const { window, now } = this;
    this.#waiting = false;
    for (let left = this.#frameBytes; left > 0; ) {
      const room = window.room(now);
      if (room === 0) {
        this.#waiting = true;
        window.noteHeldBack();
        if (window.unansweredSince === undefined) this.#ping();
        return;
      }
      const bytes = Math.min(room, left, 65_536);
      left -= bytes;
      window.addSent(bytes, this.now);
      this.#queue.push({ bytes, sentAt: now, ping: undefined });
      if (window.isPingDue(now)) this.#ping();
    }
  }

  #ping(): void {
    this.#queue.push({ bytes: PING_BYTES, sentAt: this.now, ping: this.window.ping(this.now) });
  }

  #read(): void {
    this.#credit = this.#queue.length === 0 ? 0 : this.#credit + this.rate;
    while (this.#queue.length > 0 && this.#queue[0].bytes <= this.#credit) {
      const item = this.#queue.shift()!;
      this.#credit -= item.bytes;
      if (item.ping !== undefined) this.#pongs.push({ number: item.ping, at: this.now + this.roundTrip });
      else {
        this.arrived += item.bytes;
        this.age = this.now - item.sentAt + this.roundTrip / 2;
      }
    }
  }
}

test("a slow reader offered ten times as much keeps its rate, and less than a second on its way", () => {
  for (const roundTrip of [1, 40, 200]) {
    const network = new Network(30, 300, roundTrip);
    network.pass(5_000);
    const arrived = network.pass(30_000);
    assert.ok(network.mostInFlight < 30_000, `${network.mostInFlight} bytes at ${roundTrip} ms`);
    assert.ok(network.age < 1_000, `${network.age} ms old`);
    assert.ok(arrived > 30_000 * 30 * 0.85, `${arrived} bytes arrived`);
    assert.ok(network.mostPings <= 8);
  }
});

test("a fast reader far away is not throttled", () => {
  const network = new Network(10_000, 1_000, 300);
  network.pass(5_000);
  const arrived = network.pass(10_000);
  assert.ok(arrived >= 10_000 * 1_000 * 0.95, `${arrived} bytes arrived`);
});

test("a reader that becomes slow has less than two seconds on its way soon after, and then less than one", () => {
  const network = new Network(1_000, 300, 40);
  network.pass(10_000);
  network.rate = 30;
  network.pass(10_000);
  network.pass(5_000);
  assert.ok(network.mostInFlight < 30_000, `${network.mostInFlight} bytes`);
  assert.ok(network.age < 1_000, `${network.age} ms old`);
});

test("a reader that becomes fast gets all that there is", () => {
  const network = new Network(30, 300, 40);
  network.pass(20_000);
  network.rate = 10_000;
  network.pass(3_000);
  assert.ok(network.pass(10_000) >= 10_000 * 300 * 0.95);
});

test("a way that becomes longer is found out, and throttles nobody for long", () => {
  const network = new Network(10_000, 300, 40);
  network.pass(10_000);
  network.roundTrip = 500;
  network.pass(60_000);
  const arrived = network.pass(10_000);
  assert.ok(arrived >= 10_000 * 300 * 0.9, `${arrived} bytes arrived`);
});

test("a reader that stops is soon sent nothing more, and is current within a second of reading on", () => {
  const network = new Network(1_000, 300, 40);
  network.pass(5_000);
  network.rate = 0;
  network.pass(3_000);
  const inFlight = network.window.inFlight;
  network.pass(20_000);
  assert.equal(network.window.inFlight, inFlight, "nothing was added");
  assert.ok(inFlight < 500_000, `${inFlight} bytes`);
  network.rate = 1_000;
  network.pass(1_000);
  assert.ok(network.age < 500, `${network.age} ms old`);
  network.pass(2_000);
  assert.ok(network.pass(5_000) >= 5_000 * 300 * 0.95, "and gets all that there is again");
});

test("the way there is half of a bare trip and half of what noise adds to it, but all of what queues", () => {
  const window = new InFlightWindow(MIN, MAX, DELAY, 0);
  const wayOf = (trip: number, sentAt: number) => {
    const number = window.ping(sentAt);
    window.pong(number, sentAt + trip);
    return window.lastWay;
  };
  assert.equal(wayOf(40, 0), 20);
  assert.equal(wayOf(30, 100), 15);
  assert.ok(Math.abs(wayOf(34, 200) - 17) < 0.1, `${window.lastWay}`);
  window.addSent(30_000, 300);
  assert.ok(Math.abs(wayOf(1_030, 300) - 1_015) < 1, `${window.lastWay}`);
});

test("of a slow reader the way there is as long as its frames are old", () => {
  for (const roundTrip of [2, 80]) {
    const network = new Network(20, 200, roundTrip);
    network.pass(10_000);
    const ages: number[] = [];
    const ways: number[] = [];
    for (let second = 0; second < 20; second++) {
      network.pass(500);
      ages.push(network.age);
      ways.push(network.window.lastWay);
    }
    const mean = (all: number[]) => all.reduce((sum, one) => sum + one, 0) / all.length;
    assert.ok(Math.abs(mean(ways) - mean(ages)) < 0.15 * mean(ages), `${mean(ways)} ms instead of ${mean(ages)} ms`);
  }
});

test("before the first pong no more than a screen of prices is sent", () => {
  const window = new InFlightWindow(MIN, MAX, DELAY, 0);
  window.ping(0);
  for (let now = 0; now < 60_000; now += 10) {
    const room = window.room(now);
    window.addSent(Math.min(room, 1_000), now);
  }
  assert.ok(window.inFlight <= 32_768);
});

test("pongs nobody asked for, old ones and doubles change nothing", () => {
  const window = new InFlightWindow(MIN, MAX, DELAY, 0);
  assert.equal(window.pong(0, 1), -1);
  window.addSent(100, 1);
  const first = window.ping(1);
  window.addSent(100, 1);
  const second = window.ping(2);
  for (const number of [second + 1, 0xffffffff, 12_345]) assert.equal(window.pong(number, 3), -1);
  assert.equal(window.inFlight, 200);
  assert.equal(window.pong(second, 42), 40, "it stands for those before it");
  assert.equal(window.inFlight, 0);
  assert.equal(window.unansweredSince, undefined);
  for (const number of [first, second]) assert.equal(window.pong(number, 50), -1);
  assert.equal(window.inFlight, 0);
});

const step = fc.record({
  kind: fc.constantFrom("send", "ping", "pong", "forge", "holdBack"),
  number: fc.nat(20),
  gap: fc.integer({ min: 0, max: 2_000 }),
});

test("whatever a client answers, arrived is never more than sent, pings stay within the ring, the window within its limits", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const window = new InFlightWindow(MIN, MAX, DELAY, 0);
      let [now, sent, most] = [0, 0, 0];
      const out: { number: number; sent: number }[] = [];
      for (const { kind, number, gap } of steps) {
        now += gap;
        const room = window.room(now);
        assert.ok(room >= 0 && room <= window.size);
        if (kind === "send") {
          window.addSent(room, now);
          sent += room;
          if (window.isPingDue(now)) {
            assert.ok(window.canPing);
            out.push({ number: window.ping(now), sent });
          }
        } else if (kind === "ping" && window.canPing) out.push({ number: window.ping(now), sent });
        else if (kind === "holdBack") window.noteHeldBack();
        else if (kind === "pong" && out.length > 0) {
          const index = number % out.length;
          assert.ok(window.pong(out[index].number, now) >= 0);
          most = out[index].sent;
          out.splice(0, index + 1);
        } else if (kind === "forge" && !out.some((ping) => ping.number === number))
          assert.equal(window.pong(number, now), -1);
        assert.ok(out.length <= 8);
        assert.equal(window.inFlight, sent - most);
        assert.equal(window.unansweredSince === undefined, out.length === 0);
        assert.ok(window.size >= MIN && window.size <= MAX, `${window.size}`);
      }
    }),
    { numRuns: 500 },
  );
});
