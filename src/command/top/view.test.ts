import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isPrintable, outsideText } from "../../../test/support/printable_texts.ts";
import {
  clientReport,
  feedReport,
  gatewayReport,
  heardReport,
  nodeReport,
  publishedReport,
} from "../../../test/support/reports.ts";
import type { NodeReport } from "../../admin/status/report.ts";
import { PLAIN_STYLE } from "../terminal/style.ts";
import { TopNode } from "./node.ts";
import { TopView } from "./view.ts";

function node(own: Partial<NodeReport>, url = "http://10.0.0.1:9090"): TopNode {
  const node = new TopNode(url);
  node.report = nodeReport(own);
  return node;
}

function silent(url: string, since: number): TopNode {
  const node = new TopNode(url);
  node.failure = "connect ECONNREFUSED";
  node.failingSince = since;
  return node;
}

const slow = clientReport({
  session: "gateway2-9",
  address: "198.51.100.7",
  agent: "acme/3",
  behind: 13_200,
  roundTrip: 400,
  why: "client: reads 10 KB/s; what is sent takes 400 ms instead of 2.0 ms",
});

test("the slowest clients of all nodes stand first, by name, and what is wrong is said at the top", () => {
  const view = new TopView(PLAIN_STYLE);
  const nodes = [node({}), node({ node: "gateway2", gateway: gatewayReport({ clients: [clientReport(), slow] }) })];
  const lines = view.draw(nodes, 200, 40, 0);
  assert.equal(
    lines[0],
    " ! gateway2: a client is slow: 198.51.100.7 (acme/3), 13.2 s behind: reads 10 KB/s; what is sent takes 400 ms instead of 2.0 ms",
  );
  const title = lines.findIndex((line) => line.startsWith("the slowest 3 of 4 clients, by behind"));
  assert.match(lines[title + 2], /^13\.2 s {2}198\.51\.100\.7 {2}acme\/3 .*reads 10 KB\/s.* gateway2-9/);
  assert.equal(lines.length, title + 5);
});

test("a node that does not answer is shown as such, and what it told before is not", () => {
  const view = new TopView(PLAIN_STYLE);
  const gone = node({ node: "gateway2", gateway: gatewayReport({ clients: [slow] }) }, "http://10.0.0.2:9090");
  gone.failure = "no answer within 2 s";
  gone.failingSince = 1_000;
  const lines = view.draw([node({}), gone, silent("http://10.0.0.3:9090", 2_000)], 160, 40, 13_000);
  assert.equal(lines[0], "!! gateway2 at http://10.0.0.2:9090 has not answered for 12.0 s: no answer within 2 s");
  assert.equal(lines[1], "!! http://10.0.0.3:9090 has not answered for 11.0 s: connect ECONNREFUSED");
  assert.ok(lines.some((line) => /^gateway1 +ready/.test(line)));
  assert.ok(lines.some((line) => /^gateway2 +NO ANSWER( +-)+$/.test(line)));
  assert.ok(!lines.some((line) => line.includes("198.51.100.7")));
});

test("of a feed, who leads it comes first, then who stands by, then who hears it", () => {
  const view = new TopView(PLAIN_STYLE);
  const publishes = (name: string, role: "leading" | "standby") =>
    node({ node: name, gateway: null, feeds: [feedReport({ heard: null, published: publishedReport({ role }) })] });
  const lines = view.draw(
    [
      node({ feeds: [feedReport({ heard: heardReport({ silent: 1 }) })] }),
      publishes("feed2", "standby"),
      publishes("feed1", "leading"),
    ],
    160,
    40,
    0,
  );
  const rows = lines.filter((line) => line.startsWith("sim ")).map((line) => line.split(/ {2,}/).slice(0, 3));
  assert.deepEqual(rows, [
    ["sim", "feed1", "leading"],
    ["sim", "feed2", "standby"],
    ["sim", "gateway1", "heard"],
  ]);
  assert.ok(lines.includes("!! gateway1: feed sim: nothing heard on 1 of 2 shards"));
});

test("clients are sorted by what is wanted, and scrolled through as far as they go", () => {
  const clients = Array.from({ length: 30 }, (_, index) =>
    clientReport({ address: `10.0.0.${index}`, behind: 100 - index, symbols: index }),
  );
  const view = new TopView(PLAIN_STYLE);
  const nodes = [node({ gateway: gatewayReport({ connections: 30, clients }), feeds: [] })];
  const first = () => {
    const lines = view.draw(nodes, 120, 16, 0);
    assert.equal(lines.length, 16);
    return lines[lines.findIndex((line) => line.startsWith("30 clients")) + 2].split(/ {2,}/)[1];
  };
  assert.equal(first(), "10.0.0.0");
  view.scroll(3);
  assert.equal(first(), "10.0.0.3");
  view.scroll(1_000);
  const last = first();
  view.scroll(1);
  assert.equal(first(), last, "no further than the last page");
  view.scroll(-1_000);
  assert.equal(first(), "10.0.0.0");
  view.scroll(5);
  for (let turn = 0; turn < 3; turn++) view.nextOrder();
  assert.equal(view.order, "symbols");
  assert.equal(first(), "10.0.0.29");
});

test("lines fit the terminal, and hold nothing that it would obey, whatever nodes and clients say", () => {
  const text = fc.oneof(outsideText, fc.constant(`\x1b[2J\x1b]0;x\x07é${"x".repeat(300)}`));
  const node = fc.record({
    name: text,
    unready: text,
    agent: text,
    address: text,
    why: text,
    feed: text,
    silence: text,
  });
  fc.assert(
    fc.property(node, fc.constantFrom(20, 80, 200), (said, width) => {
      const { name, unready, feed, silence, ...client } = said;
      const nodes = [new TopNode("http://10.0.0.1:9090"), new TopNode("http://10.0.0.2:9090")];
      nodes[0].report = nodeReport({
        node: name,
        unready,
        feeds: [feedReport({ feed, heard: heardReport() })],
        gateway: gatewayReport({ clients: [clientReport({ ...slow, ...client, session: name })] }),
      });
      nodes[1].failure = silence;
      const lines = new TopView(PLAIN_STYLE).draw(nodes, width, 24, 0);
      assert.ok(lines.length <= 24);
      for (const line of lines) {
        assert.ok(line.length <= width, line);
        assert.ok(isPrintable(line), JSON.stringify(line));
      }
    }),
    { numRuns: 300 },
  );
});
