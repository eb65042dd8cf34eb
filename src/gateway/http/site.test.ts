import { App, type us_listen_socket, us_listen_socket_close, us_socket_local_port } from "uWebSockets.js";
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from "node:zlib";
import { testAdmission } from "../../../test/support/http_bench.ts";
import { RawSocket } from "../../../test/support/raw_socket.ts";
import { readSite, serveSite } from "./site.ts";

const INDEX = "<!doctype html><title>Watchlist</title>";
const SCRIPT = `console.log(${JSON.stringify("x".repeat(5_000))})`;
/** More than a socket's buffers take at once. */
const LARGE = "y".repeat(6_000_000);
const ORIGINS = ["https://ours.example"];

let folder: string;
let port: number;
let listening: us_listen_socket;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "tickgate-site-"));
  mkdirSync(join(folder, "assets"));
  const write = (name: string, content: string | Buffer) => writeFileSync(join(folder, name), content);
  write("index.html", INDEX);
  write("index.html.br", brotliCompressSync(INDEX));
  write("assets/main-ABCD1234.js", SCRIPT);
  write("assets/main-ABCD1234.js.br", brotliCompressSync(SCRIPT));
  write("assets/main-ABCD1234.js.gz", gzipSync(SCRIPT));
  write("assets/large.txt", LARGE);
  write("assets/main-ABCD1234.js.map", "what is of no known type is not served");
  listening = await new Promise((resolve) =>
    serveSite(App(), readSite(folder), ORIGINS, testAdmission())
      .any("/*", (res) => void res.writeStatus("404 Not Found").end("elsewhere"))
      .listen(0, (socket) => resolve(socket as us_listen_socket)),
  );
  port = us_socket_local_port(listening);
});
after(() => {
  us_listen_socket_close(listening);
  rmSync(folder, { recursive: true });
});

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

function ask(path: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ port, path, method, headers, agent: false }, (res) => {
      const parts: Buffer[] = [];
      res.on("data", (part: Buffer) => parts.push(part));
      res.on("end", () => resolve({ status: res.statusCode ?? 0, headers: res.headers, body: Buffer.concat(parts) }));
    });
    asked.on("error", reject);
    asked.end();
  });
}

test("the page is at /, must be asked for again each time, and may load nothing from elsewhere", async () => {
  const { status, headers, body } = await ask("/");
  assert.equal(status, 200);
  assert.equal(String(body), INDEX);
  assert.equal(headers["content-type"], "text/html; charset=utf-8");
  assert.equal(headers["cache-control"], "no-cache");
  assert.equal(headers["x-content-type-options"], "nosniff");
  const policy = String(headers["content-security-policy"]);
  assert.match(policy, /^default-src 'self'; connect-src 'self' ws: wss:;/);
  assert.doesNotMatch(policy, /unsafe|https?:/);
});

test("what has its content in its name is kept for a year, and comes in the smallest form that the browser takes", async () => {
  const path = "/assets/main-ABCD1234.js";
  const forms: [string, string | undefined, (bytes: Buffer) => Buffer][] = [
    ["gzip, deflate, br", "br", brotliDecompressSync],
    ["gzip", "gzip", gunzipSync],
    ["br;q=0, gzip;q=0.5", "gzip", gunzipSync],
    ["", undefined, (bytes) => bytes],
    ["identity", undefined, (bytes) => bytes],
  ];
  const tags = new Set<unknown>();
  for (const [accepted, encoding, unpack] of forms) {
    const { headers, body } = await ask(path, { "Accept-Encoding": accepted });
    assert.equal(headers["content-encoding"], encoding, accepted);
    assert.equal(String(unpack(body)), SCRIPT);
    assert.equal(headers["cache-control"], "public, max-age=31536000, immutable");
    assert.equal(headers["content-type"], "text/javascript; charset=utf-8");
    assert.equal(headers.vary, "Accept-Encoding");
    tags.add(headers.etag);
  }
  assert.equal(tags.size, 3, "a tag for each form");
});

test("what a browser has already is not sent again", async () => {
  const { headers } = await ask("/", { "Accept-Encoding": "br" });
  const again = await ask("/", { "Accept-Encoding": "br", "If-None-Match": `"other", W/${headers.etag}` });
  assert.equal(again.status, 304);
  assert.equal(again.body.length, 0);
  assert.equal(again.headers.etag, headers.etag);
  const otherForm = await ask("/", { "If-None-Match": String(headers.etag) });
  assert.equal(otherForm.status, 200);
});

test("HEAD says what GET would send, without it", async () => {
  const raw = new RawSocket(port);
  raw.socket.write("HEAD /assets/main-ABCD1234.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  await raw.untilClosed();
  const [head, body] = raw.text.split("\r\n\r\n");
  assert.match(`${head}\r\n`, new RegExp(`^HTTP/1.1 200 OK\r\n.*\r\nContent-Length: ${SCRIPT.length}\r\n`, "is"));
  assert.match(head, /\r\nConnection: close/);
  assert.equal(body, "");
});

test("a reader that is slow gets all of a file", async () => {
  const raw = new RawSocket(port);
  raw.socket.pause();
  raw.socket.write("GET /assets/large.txt HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  // The next answer is not sent before the file is on its way, so that it was found to be more than is taken at once.
  await ask("/");
  raw.socket.resume();
  await raw.heard(LARGE);
  raw.socket.destroy();
});

test("only what was built is there: no other file, no way up, no other method", async () => {
  for (const path of ["/index.html", "/assets/", "/assets/main-ABCD1234.js.br", "/assets/main-ABCD1234.js.map"])
    assert.equal((await ask(path)).status, 404, path);
  for (const path of ["/../package.json", "/assets/../../package.json", "/assets/%2e%2e/index.html"])
    assert.equal((await ask(path)).status, 404, path);
  assert.equal((await ask("/", {}, "POST")).status, 404);
});

test("under a name whose pages may not connect the page says so instead of trying", async () => {
  const { status, body } = await ask("/", { Host: "other<script>.example" });
  assert.equal(status, 403);
  assert.match(String(body), /--origin https:\/\/otherscript\.example/);
  assert.equal((await ask("/", { Host: "ours.example" })).status, 200);
});

test("a folder without a page is none, and one with far more than a page is refused", () => {
  const other = mkdtempSync(join(tmpdir(), "tickgate-site-"));
  try {
    assert.equal(readSite(join(other, "nowhere")), undefined);
    assert.equal(readSite(other), undefined);
    writeFileSync(join(other, "index.html"), INDEX);
    for (let index = 0; index < 64; index++) writeFileSync(join(other, `${index}.txt`), "");
    assert.throws(() => readSite(other), /more than 64 files/);
  } finally {
    rmSync(other, { recursive: true });
  }
});

test("what has not been built says how to build it", async () => {
  const app = serveSite(App(), undefined, ["*"], testAdmission());
  const socket = await new Promise<us_listen_socket>((resolve) =>
    app.listen(0, (socket) => resolve(socket as us_listen_socket)),
  );
  const response = await fetch(`http://127.0.0.1:${us_socket_local_port(socket)}/`);
  us_listen_socket_close(socket);
  assert.equal(response.status, 404);
  assert.match(await response.text(), /npm run build/);
});
