import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SETTINGS } from "../../settings/settings.ts";
import { isHostAllowed, isOriginAllowed } from "./origin.ts";

const LISTED = ["https://ours.example"];

test("what is listed is allowed, to the letter", () => {
  assert.ok(isOriginAllowed(LISTED, "https://ours.example", "prices.example"));
  for (const origin of ["https://theirs.example", "null", "https://ours.example.evil", "http://ours.example"])
    assert.ok(!isOriginAllowed(LISTED, origin, "ours.example"), origin);
  assert.ok(isOriginAllowed(["*"], "https://anyone.example", "prices.example"));
});

test("the gateway's own page is allowed where it is reached by a number or as localhost", () => {
  for (const host of ["127.0.0.1:8080", "10.1.2.3", "localhost:8080", "[::1]:8080"]) {
    assert.ok(isOriginAllowed(LISTED, `http://${host}`, host), host);
    assert.ok(isOriginAllowed(LISTED, `https://${host}`, host), host);
    assert.ok(!isOriginAllowed(LISTED, `http://${host}`, "10.9.9.9"), "a page of another place");
  }
});

test("a page that is of the same name as the gateway is not for that reason its own: the name may have been made to point here", () => {
  for (const host of ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example"])
    assert.ok(!isOriginAllowed(LISTED, `http://${host}`, host), host);
});

test("under which names the served pages can connect", () => {
  assert.ok(isHostAllowed(LISTED, "ours.example"));
  assert.ok(isHostAllowed(LISTED, "127.0.0.1:8080"));
  assert.ok(isHostAllowed(["*"], "whatever.example"));
  assert.ok(!isHostAllowed(LISTED, "other.example"));
});

test("a name below a listed domain is allowed, the domain itself and what only looks like it are not", () => {
  const below = ["https://*.example.com", "http://*.inner:8080"];
  for (const origin of ["https://a.example.com", "https://a.b-1.example.com", "http://x.inner:8080"])
    assert.ok(isOriginAllowed(below, origin, "gateway"), origin);
  for (const origin of [
    ...["https://example.com", "https://.example.com", "https://a..example.com", "http://a.example.com", "null", ""],
    ...[
      "https://aexample.com",
      "https://a.example.com.evil",
      "https://evil/.example.com",
      "https://a.example.com:8443",
    ],
    ...["https://x@a.example.com", "https://*.example.com", "http://x.inner"],
  ])
    assert.ok(!isOriginAllowed(below, origin, "gateway"), origin);
  assert.ok(isHostAllowed(below, "a.example.com"));
  assert.ok(isHostAllowed(below, "A.Example.com:443"));
  assert.ok(!isHostAllowed(below, "example.com"));
  assert.ok(!isHostAllowed(below, "a.example.com, b.example.com"));
});

test("a setting is read as browsers write origins, and what can never match is refused", () => {
  const { kind } = SETTINGS.origins;
  const read: [string, string][] = [
    ["*", "*"],
    ["https://Trade.Example.com/", "https://trade.example.com"],
    ["https://trade.example.com:443", "https://trade.example.com"],
    ["http://localhost:3000", "http://localhost:3000"],
    ["https://*.Example.com:8443", "https://*.example.com:8443"],
    ["http://[::1]:8080", "http://[::1]:8080"],
  ];
  for (const [text, origin] of read) assert.deepEqual(kind.read(text), [origin], text);
  for (const text of [
    ...["null", "trade.example.com", "https://", "https://*", "https://*.", "https://a.*.example.com", "https://**.a"],
    ...[
      "https://a.example/path",
      "https://a.example?q",
      "https://u@a.example",
      "ftp://a.example",
      "https://a*.example",
    ],
    ...["https://a.example:99999", "file:///x", "*.example.com", "https://a.example/*"],
  ])
    assert.equal(kind.read(text), undefined, text);
});

test("whatever is listed is itself allowed, and no origin makes it throw", () => {
  const listed = fc.tuple(
    fc.constantFrom("http", "https"),
    fc.domain(),
    fc.option(fc.integer({ min: 1, max: 65_535 })),
  );
  fc.assert(
    fc.property(listed, fc.string(), ([scheme, name, port], other) => {
      const [origin] = SETTINGS.origins.kind.read(`${scheme}://${name}${port === null ? "" : `:${port}`}`) ?? [];
      assert.ok(origin !== undefined);
      assert.ok(isOriginAllowed([origin], origin, "gateway"));
      assert.equal(isOriginAllowed([origin], other, "gateway"), other === origin);
      const [below] = SETTINGS.origins.kind.read(`${scheme}://*.${name}`) ?? [];
      assert.ok(below !== undefined);
      assert.ok(isOriginAllowed([below], `${scheme}://sub.${new URL(`${scheme}://${name}`).host}`, "gateway"));
      isHostAllowed([origin, below], other);
    }),
  );
});
