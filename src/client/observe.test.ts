import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { FakeSocket, fakeClient, settled } from "../../test/support/fake_connection.ts";
import { observe } from "./observe.ts";

type Told = (entries: { target: object; isIntersecting: boolean }[]) => void;

/** A double of the browser's class, which reports the elements on the screen. */
class FakeObserver {
  static all: FakeObserver[] = [];
  readonly elements = new Set<object>();
  readonly events: Told;

  constructor(events: Told) {
    this.events = events;
    FakeObserver.all.push(this);
  }

  observe(element: object): void {
    this.elements.add(element);
  }

  unobserve(element: object): void {
    this.elements.delete(element);
  }

  disconnect(): void {
    this.elements.clear();
    FakeObserver.all = FakeObserver.all.filter((other) => other !== this);
  }
}

function withObserver(t: TestContext): void {
  FakeObserver.all = [];
  Object.defineProperty(globalThis, "IntersectionObserver", { value: FakeObserver, configurable: true });
  t.after(() => Reflect.deleteProperty(globalThis, "IntersectionObserver"));
}

test("rows off the screen are asked for less often; a symbol in two rows is seen as long as one is", async (t) => {
  withObserver(t);
  const { client, time } = fakeClient({ hiddenInterval: 2_000 });
  const screen = client.subscribe(["A", "B"], { interval: 100 });
  FakeSocket.last.hello({ heartbeat: 60_000 });
  const [one, two, three] = [{}, {}, {}];
  const stops = [observe(one, "A", screen), observe(two, ["A", "B"], screen), observe(three, "B", screen)];
  const [observer] = FakeObserver.all;
  assert.equal(FakeObserver.all.length, 1, "one observer for a subscription");
  FakeSocket.last.takeCommands();
  const after = async (seen: object[], unseen: object[]) => {
    const entry = (isIntersecting: boolean) => (target: object) => ({ target, isIntersecting });
    observer.events([...seen.map(entry(true)), ...unseen.map(entry(false))]);
    time.advance(500);
    await settled();
    return FakeSocket.last.takeCommands().map(({ symbols, interval }) => `${symbols} ${interval}`);
  };
  assert.deepEqual(await after([one], [two, three]), ["B 2000"]);
  assert.deepEqual(await after([two], [one]), ["B 100"]);
  assert.deepEqual(await after([], [two]), ["A,B 2000"]);
  for (const stop of [...stops, ...stops]) stop();
  await settled();
  assert.deepEqual(
    FakeSocket.last.takeCommands().map(({ symbols, interval }) => `${symbols} ${interval}`),
    ["A,B 100"],
    "what is not watched any more counts as seen",
  );
  assert.equal(FakeObserver.all.length, 0);
});

test("where nothing can be observed, that is said", () => {
  const { client } = fakeClient();
  assert.throws(() => observe({}, "A", client.subscribe("A")), /there is no IntersectionObserver/);
});
