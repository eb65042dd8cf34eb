import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { FakeSocket, fakeClient, ManualTime } from "../../../test/support/fake_connection.ts";
import { followVisibility } from "./visibility.ts";

/** A page whose visibility the test changes. */
class FakePage extends EventTarget {
  visibilityState = "visible";
  listeners = 0;

  override addEventListener(type: string, listener: () => void): void {
    this.listeners++;
    super.addEventListener(type, listener);
  }

  override removeEventListener(type: string, listener: () => void): void {
    this.listeners--;
    super.removeEventListener(type, listener);
  }

  become(state: "visible" | "hidden"): void {
    this.visibilityState = state;
    this.dispatchEvent(new Event("visibilitychange"));
  }
}

function pageFor(t: TestContext): FakePage {
  const page = new FakePage();
  Object.defineProperty(globalThis, "document", { value: page, configurable: true });
  t.after(() => Reflect.deleteProperty(globalThis, "document"));
  return page;
}

test("a page that is hidden for a second counts as hidden, and as seen at once when it comes back", (t) => {
  const page = pageFor(t);
  const time = new ManualTime();
  const events: boolean[] = [];
  const stop = followVisibility(time, (visible) => events.push(visible));
  page.become("hidden");
  time.advance(999);
  page.become("visible");
  time.advance(10_000);
  assert.deepEqual(events.splice(0), [true, true]);
  page.become("hidden");
  time.advance(1_000);
  page.become("visible");
  assert.deepEqual(events.splice(0), [false, true]);
  page.become("hidden");
  stop();
  time.advance(1_000);
  assert.deepEqual(events, []);
  assert.deepEqual([page.listeners, time.timers], [0, 0]);
});

test("a client follows its page from connect to close, or not at all", (t) => {
  const page = pageFor(t);
  page.visibilityState = "hidden";
  const { client, time } = fakeClient({ backgroundInterval: 7_000 });
  client.subscribe("A");
  time.advance(1_000);
  FakeSocket.last.hello();
  assert.deepEqual(FakeSocket.last.takeCommands(), [{ op: "subscribe", id: 1, symbols: ["A"], interval: 7_000 }]);
  page.become("visible");
  assert.ok(client.visible);
  client.connect();
  assert.equal(page.listeners, 1);
  client.close();
  assert.deepEqual([page.listeners, time.timers], [0, 0]);
  fakeClient({ followVisibility: false }).client.connect();
  assert.equal(page.listeners, 0);
});

test("where there is no page there is nothing to follow", () => {
  const events: boolean[] = [];
  followVisibility(new ManualTime(), (visible) => events.push(visible))();
  assert.deepEqual(events, []);
});
