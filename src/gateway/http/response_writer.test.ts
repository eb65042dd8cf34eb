import {
  App,
  type HttpResponse,
  type us_listen_socket,
  us_listen_socket_close,
  us_socket_local_port,
} from "uWebSockets.js";
import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { request } from "node:http";
import { after, before, test } from "node:test";
import { until } from "../../../test/support/gateway_process.ts";
import { testAdmission } from "../../../test/support/http_bench.ts";
import { RawSocket } from "../../../test/support/raw_socket.ts";
import type { AdmittedRequest } from "./admission.ts";
import { RESPONSE_BYTES } from "./response_writer.ts";

const OK = { status: "200 OK", type: "text/plain" };
/** More than a socket's buffers take at once. */
const LARGE = 12_000_000;
const LINE = "0123456789".repeat(10);

const admission = testAdmission();
const changes = new EventEmitter();
const counts = { handled: 0, pieces: 0, ended: 0 };
let listening: us_listen_socket;
let port = 0;

function* lines(bytes: number): Iterator<string> {
  for (let at = 0; at < bytes; at += LINE.length) {
    counts.pieces++;
    yield LINE;
  }
}

function stream({ res, account }: AdmittedRequest, bytes: number): void {
  admission.budget.reserve(account, RESPONSE_BYTES);
  admission.responses.stream(res, OK, lines(bytes), account, () => {
    admission.budget.release(account, RESPONSE_BYTES);
    counts.ended++;
    changes.emit("change");
  });
}

const handler = (answer: (request: AdmittedRequest) => void) => {
  const handled = admission.handler(answer);
  return (res: HttpResponse, req: Parameters<typeof handled>[1]) => {
    counts.handled++;
    handled(res, req);
    changes.emit("change");
  };
};

before(async () => {
  const app = App()
    .get(
      "/large",
      handler((asked) => stream(asked, LARGE)),
    )
    .get(
      "/lines",
      handler((asked) => stream(asked, Number(asked.query))),
    )
    .get(
      "/small",
      handler(({ res }) => admission.responses.send(res, OK, "small")),
    )
    .get(
      "/bytes",
      handler(({ res, query }) => admission.responses.send(res, OK, Buffer.alloc(Number(query), "b"))),
    )
    .any(
      "/*",
      handler(({ res, withBody }) => admission.responses.send(res, OK, "anything", withBody)),
    );
  listening = await new Promise((resolve) => app.listen(0, (socket) => resolve(socket as us_listen_socket)));
  port = us_socket_local_port(listening);
});
after(() => us_listen_socket_close(listening));

function ask(method: string, path: string): string {
  return `${method} ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
}

async function get(path: string): Promise<string> {
  const asked = request({ port, path, agent: false }).end();
  const [response] = await once(asked, "response");
  const parts: Buffer[] = [];
  response.on("data", (part: Buffer) => parts.push(part));
  await once(response, "end");
  return Buffer.concat(parts).toString();
}

test("an answer of any length arrives as it was generated", async () => {
  for (const length of [0, 100, 20_000, 32_700, 32_800, 33_000, 65_600, 1_000_000, LARGE]) {
    const body = (await get(`/lines?${length}`)).trimEnd();
    assert.equal(body.length, length);
    assert.equal(body, LINE.repeat(length / LINE.length));
  }
});

test("a body in memory arrives whole, whether it is sent at once or later", async () => {
  for (const length of [2, 100, 3_000, 5_000, 16_000, 17_000, 100_000, LARGE])
    assert.equal(await get(`/bytes?${length}`), "b".repeat(length));
});

test("no more is generated than a client takes, and it gets all of it when it reads", async () => {
  counts.pieces = 0;
  const raw = new RawSocket(port);
  raw.socket.pause();
  raw.socket.write(ask("GET", "/large"));
  await until(changes, () => counts.pieces > 0, "the answer to begin");
  // Others are served meanwhile; each of these takes turns of the event loop, in which the answer could go on.
  for (let count = 0; count < 100; count++) await get("/small");
  const generated = counts.pieces * LINE.length;
  assert.ok(generated < LARGE, `${generated} bytes were generated`);
  assert.equal(admission.responses.pending, 1);
  const { ended } = counts;
  raw.socket.resume();
  await raw.heard("\r\n0\r\n\r\n");
  await until(changes, () => counts.ended === ended + 1, "the answer to be done");
  assert.equal(raw.text.split(LINE).length - 1, LARGE / LINE.length);
  raw.destroy();
});

test("a reader that takes little at a time gets all of it in order, and leaves little in memory", async () => {
  const raw = new RawSocket(port);
  raw.socket.write(ask("GET", "/lines?3000000"));
  raw.socket.on("data", () => {
    raw.socket.pause();
    setImmediate(() => raw.socket.resume());
  });
  await raw.heard("\r\n0\r\n\r\n");
  assert.equal(raw.text.replace(/\r\n[\da-f]+\r\n/g, "").split(LINE).length - 1, 30_000);
  raw.destroy();
});

test("an answer whose client goes ends with it", async () => {
  const { ended } = counts;
  const raw = new RawSocket(port);
  raw.socket.pause();
  raw.socket.write(ask("GET", "/large"));
  await until(changes, () => admission.responses.pending === 1, "the answer to begin");
  raw.destroy();
  await until(changes, () => counts.ended === ended + 1, "the answer to end");
  assert.equal(admission.responses.pending, 0);
});

test("a few small requests in one go are answered in order", async () => {
  const raw = new RawSocket(port);
  raw.socket.write(ask("GET", "/small").repeat(3));
  await until(raw.changes, () => raw.text.split("small").length === 4, "three answers");
  raw.destroy();
});

test("of thousands in one go few are handled, whatever they ask for", async () => {
  for (const [method, path] of [
    ["GET", "/small"],
    ["GET", "/large"],
    ["GET", "/nothing"],
    ["HEAD", "/small"],
    ["OPTIONS", "/"],
  ]) {
    counts.handled = 0;
    const raw = new RawSocket(port);
    raw.socket.pause();
    raw.socket.write(ask(method, path).repeat(8_000));
    raw.socket.resume();
    await raw.untilClosed();
    assert.ok(counts.handled <= 16, `${method} ${path}: ${counts.handled} were handled`);
  }
});
