import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import {
  clientReport,
  feedReport,
  gatewayReport,
  heardReport,
  nodeReport,
  publishedReport,
  shardReport,
} from "../../../test/support/reports.ts";
import { PAGE_POLICY, PAGE_SCRIPT, statusPage } from "./page.ts";

test("a slow client is the first row, with its address, what it calls itself and what is wrong", () => {
  const slow = clientReport({ address: "198.51.100.7", agent: "acme/3", behind: 13_200, why: "client: reads 10 KB/s" });
  const page = statusPage(
    nodeReport({ gateway: gatewayReport({ clients: [slow, clientReport()], connections: 400 }) }),
  );
  assert.match(page, /<h2>The slowest 2 of 400 clients<\/h2>/);
  const [first, second] = page.slice(page.indexOf('data-part="clients"')).split("<tr>").slice(2);
  for (const text of ["13.2 s", "198.51.100.7", "acme/3", "reads 10 KB/s"]) assert.ok(first.includes(text), text);
  assert.ok(second.includes("203.0.113.7"));
});

test("strangers' texts are shown as they are, and never obeyed", () => {
  const evil = `<script>alert("1")</script>'&`;
  const client = clientReport({ agent: evil, address: evil, why: evil });
  const page = statusPage(
    nodeReport({ node: evil, unready: evil, gateway: gatewayReport({ clients: [client], refused: { [evil]: 1 } }) }),
  );
  assert.ok(!page.includes("<script>alert"));
  assert.equal(page.match(/<script/g)?.length, 1, "our own");
  assert.ok(page.includes("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39;&amp;"));
});

test("the policy allows the page's own style and script, and nothing else", () => {
  const page = statusPage(nodeReport());
  const style = /<style>(.*)<\/style>/s.exec(page)?.[1] ?? "";
  const hash = createHash("sha256").update(style).digest("base64");
  assert.ok(PAGE_POLICY.includes(`style-src 'sha256-${hash}'`));
  assert.ok(PAGE_POLICY.startsWith("default-src 'none'"));
  assert.doesNotMatch(page, / on\w+=| style=|https?:\/\//, "no inline script, no inline style, nothing from elsewhere");
  assert.ok(PAGE_SCRIPT.includes("data-part"));
});

test("of many shards those are listed that are silent, missing batches or late", () => {
  const shards = Array.from({ length: 32 }, (_, shard) => shardReport({ shard, silent: shard === 17 }));
  const page = statusPage(nodeReport({ feeds: [feedReport({ heard: heardReport({ silent: 1, shards }) })] }));
  const part = page.slice(page.indexOf('data-part="shards"'));
  assert.equal(part.split("<tr>").length, 3, "a head and one row");
  assert.match(part, /data-title="shard">17</);
  const allSilent = heardReport({ silent: 32, shards: shards.map((shard) => ({ ...shard, silent: true })) });
  const silent = statusPage(nodeReport({ feeds: [feedReport({ heard: allSilent })] }));
  assert.ok(silent.includes("nothing heard for"));
  assert.ok(!silent.includes('data-title="shard"'), "that is said of the feed, once");
});

test("a process that only publishes has no columns of what gateways hear", () => {
  const feeds = [feedReport({ heard: null, published: publishedReport() })];
  const page = statusPage(nodeReport({ gateway: null, feeds }));
  for (const title of ["source", "ticks made"]) assert.ok(page.includes(`data-title="${title}"`), title);
  for (const title of ["stale", "bus", "silent shards"]) assert.ok(!page.includes(`data-title="${title}"`), title);
});

test("every part that the script replaces has a name of its own, whatever the node is", () => {
  for (const report of [nodeReport(), nodeReport({ gateway: null, redis: null, feeds: [] })]) {
    const names = [...statusPage(report).matchAll(/data-part="(\w+)"/g)].map(([, name]) => name);
    assert.equal(new Set(names).size, names.length);
    for (const name of ["head", "problems", "tiles", "feeds"]) assert.ok(names.includes(name), name);
  }
});
