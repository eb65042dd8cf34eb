import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { nodeReport } from "../../../test/support/reports.ts";
import { UsageError } from "../../settings/option.ts";
import { TopNode } from "./node.ts";
import { adminUrl } from "./top.ts";

async function serve(t: TestContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  t.after(() => server.close().closeAllConnections());
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("what a node tells is kept; why one does not answer is said, and forgotten when it does again", async (t) => {
  let answers = true;
  const url = await serve(t, (_request, response) => {
    if (answers) response.end(JSON.stringify(nodeReport()));
    else response.socket?.destroy();
  });
  const node = new TopNode(url);
  await node.refresh();
  assert.deepEqual([node.name, node.failure, node.failingSince], ["gateway1", undefined, undefined]);
  answers = false;
  await node.refresh();
  assert.equal(node.name, "gateway1");
  assert.equal(typeof node.failure, "string");
  const since = node.failingSince;
  await node.refresh();
  assert.equal(node.failingSince, since, "since the first time");
  answers = true;
  await node.refresh();
  assert.equal(node.failure, undefined);
});

test("what is no admin port of ours is told apart", async (t) => {
  const answers: [RequestListener, RegExp][] = [
    [(_, response) => response.writeHead(404).end("no"), /answers 404: is it the admin port/],
    [(_, response) => response.end("<html>"), /is no JSON/],
    [(_, response) => response.end('{"reportVersion":2}'), /not as this version/],
    [(_, response) => response.end("null"), /not as this version/],
  ];
  for (const [answer, expected] of answers) {
    const node = new TopNode(await serve(t, answer));
    await node.refresh();
    assert.match(node.failure ?? "", expected);
  }
  const nobody = new TopNode("http://127.0.0.1:1");
  await nobody.refresh();
  assert.ok(nobody.failure);
  assert.equal(nobody.name, "127.0.0.1:1");
});

test("an address may leave out its scheme, and have a path", () => {
  const forms: [string, string][] = [
    ["http://127.0.0.1:9090", "http://127.0.0.1:9090"],
    ["gateway1:9090", "http://gateway1:9090"],
    ["gateway1", "http://gateway1"],
    ["https://inside.example/status", "https://inside.example"],
    ["[::1]:9090", "http://[::1]:9090"],
  ];
  for (const [text, url] of forms) assert.equal(adminUrl(text), url);
  for (const wrong of ["", "http://", "a b", "gateway1:port", "ftp://x"])
    assert.throws(() => adminUrl(wrong), UsageError, wrong);
});
