import assert from "node:assert/strict";
import { test } from "node:test";
import { hostAllowed, originAllowed } from "./origin.ts";

const LISTED = ["https://ours.example"];

test("what is listed is allowed, to the letter", () => {
  assert.ok(originAllowed(LISTED, "https://ours.example", "prices.example"));
  for (const origin of ["https://theirs.example", "null", "https://ours.example.evil", "http://ours.example"])
    assert.ok(!originAllowed(LISTED, origin, "ours.example"), origin);
  assert.ok(originAllowed(["*"], "https://anyone.example", "prices.example"));
});

test("the gateway's own page is allowed where it is reached by a number or as localhost", () => {
  for (const host of ["127.0.0.1:8080", "10.1.2.3", "localhost:8080", "[::1]:8080"]) {
    assert.ok(originAllowed(LISTED, `http://${host}`, host), host);
    assert.ok(originAllowed(LISTED, `https://${host}`, host), host);
    assert.ok(!originAllowed(LISTED, `http://${host}`, "10.9.9.9"), "a page of another place");
  }
});

test("a page that is of the same name as the gateway is not for that reason its own: the name may have been made to point here", () => {
  for (const host of ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example"])
    assert.ok(!originAllowed(LISTED, `http://${host}`, host), host);
});

test("under which names the served pages can connect", () => {
  assert.ok(hostAllowed(LISTED, "ours.example"));
  assert.ok(hostAllowed(LISTED, "127.0.0.1:8080"));
  assert.ok(hostAllowed(["*"], "whatever.example"));
  assert.ok(!hostAllowed(LISTED, "other.example"));
});
