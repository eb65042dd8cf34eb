/** Answers of an address that is slow, huge, elsewhere or somebody else's. */
import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { discoverKeys, fetchText, isProtected } from "./key_address.ts";

async function serve(t: TestContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("only https, and this machine, are protected", () => {
  for (const address of ["https://a/keys", "http://localhost:1/", "http://127.0.0.1/", "http://[::1]/"])
    assert.ok(isProtected(address), address);
  for (const address of ["http://a/", "http://127.0.0.1@a/", "http://[::2]/", "ftp://localhost/", "https://[", "keys"])
    assert.ok(!isProtected(address), address);
});

test("a text is fetched; redirections, other statuses, huge and slow answers are errors", async (t) => {
  let sent = 0;
  const address = await serve(t, ({ url }, response) => {
    if (url === "/good") response.end("good");
    if (url === "/redirected") response.writeHead(302, { location: "/good" }).end();
    if (url === "/status") response.writeHead(404).end();
    if (url === "/slow") response.write("{");
    if (url !== "/huge") return;
    // Without an end, and without a length.
    const write = () => {
      sent += 65_536;
      if (response.writable && response.write(Buffer.alloc(65_536))) setImmediate(write);
    };
    response.on("drain", write);
    write();
  });
  assert.equal(await fetchText(`${address}/good`), "good");
  await assert.rejects(fetchText(`${address}/redirected`), ({ cause }: Error) => /redirect/.test(String(cause)));
  await assert.rejects(fetchText(`${address}/status`), /the answer has the status 404/);
  await assert.rejects(fetchText(`${address}/huge`), /the answer has more than 1048576 bytes/);
  assert.ok(sent < 16_777_216, `${sent} bytes were read`);
  await assert.rejects(fetchText(`${address}/slow`, 100), { name: "TimeoutError" });
});

test("discovery takes the issuer's own protected address, and no other", async (t) => {
  let answer: object = {};
  const issuer = await serve(t, (request, response) => {
    assert.equal(request.url, "/.well-known/openid-configuration");
    response.end(JSON.stringify(answer));
  });
  for (const address of [`${issuer}/keys`, "https://keys.example.com/"]) {
    answer = { issuer, jwks_uri: address };
    assert.equal(await discoverKeys(issuer), address);
  }
  const wrong: [answer: object, message: RegExp][] = [
    [{ issuer: "https://other", jwks_uri: `${issuer}/keys` }, /is of another issuer/],
    [{ jwks_uri: `${issuer}/keys` }, /is of another issuer/],
    [{ issuer }, /has no jwks_uri/],
    [{ issuer, jwks_uri: "file:///etc/passwd" }, /has no jwks_uri/],
    [{ issuer, jwks_uri: "http://keys.example.com/" }, /is not https/],
  ];
  for (const [given, message] of wrong) {
    answer = given;
    await assert.rejects(discoverKeys(issuer), message);
  }
});
