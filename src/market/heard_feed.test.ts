import assert from "node:assert/strict";
import { test } from "node:test";
import { HeardFeed } from "./heard_feed.ts";

test("a feed's clock is corrected for by as much as it is certain to be off", () => {
  const feed = new HeardFeed("F");
  const ours = { offset: 1_000, uncertainty: 100 };
  assert.equal(feed.correction, 0);
  feed.compare({ offset: 1_250, uncertainty: 200 }, ours);
  assert.deepEqual([feed.skew, feed.uncertainty, feed.correction], [250, 300, 0]);
  feed.compare({ offset: -2_999_000, uncertainty: 200 }, ours);
  assert.deepEqual([feed.skew, feed.uncertainty, feed.correction], [-3_000_000, 300, -2_999_700]);
  // Redis is asked again after a new connection: until it has answered, what was known holds.
  feed.compare({ offset: 0, uncertainty: 10 }, { offset: Number.NaN, uncertainty: Number.NaN });
  assert.equal(feed.correction, -2_999_700);
});
