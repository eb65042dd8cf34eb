import assert from "node:assert/strict";
import { test } from "node:test";
import { isLoopback } from "./loopback.ts";

test("only names and addresses of this machine are loopback", () => {
  for (const host of ["localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]"]) assert.ok(isLoopback(host), host);
  const others = ["0.0.0.0", "::", "127.0.0.1.example.com", "localhost.example.com", "10.0.0.1", "[::ffff:7f00:1]", ""];
  for (const host of others) assert.ok(!isLoopback(host), host);
});
