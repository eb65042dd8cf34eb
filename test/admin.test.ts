/** The admin port: accepted host names and methods, and its limits against untrusted clients. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { GatewayProcess, polled, runTickgate } from "./support/gateway_process.ts";

let gateway: GatewayProcess;
before(async () => {
  gateway = await GatewayProcess.open("--admin-name", "Gateway1", "--admin-name", "metrics.inside.example");
  gateway.tick("A", { last: 1 });
  await gateway.known("A");
});
after(() => gateway.close());

interface Answer {
  readonly status: number;
  readonly body: string;
}

function ask(path: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ port: gateway.adminPort, path, method, headers, agent: false }, (response) => {
      let body = "";
      response.on("data", (part) => {
        body += part;
        // The first line of a trace is enough.
        if (path.startsWith("/trace") && response.statusCode === 200) end();
      });
      const end = () => {
        resolve({ status: response.statusCode ?? 0, body });
        asked.destroy();
      };
      response.on("end", end);
    });
    asked.on("error", reject);
    asked.end();
  });
}

test("it answers under numbers, localhost and listed names; under any other name only health", async () => {
  const paths = ["/metrics", "/status", "/status.json", "/status.js", "/nothing"];
  for (const host of [
    "127.0.0.1",
    "localhost:9090",
    "[::1]:9090",
    "10.1.2.3",
    "gateway1:9090",
    "METRICS.inside.example",
  ])
    for (const path of paths)
      assert.equal((await ask(path, { Host: host })).status, path === "/nothing" ? 404 : 200, `${host} ${path}`);
  for (const host of ["evil.example", "gateway1.evil.example", "127.0.0.1.evil.example", "gateway2", "a b"]) {
    for (const path of paths) assert.equal((await ask(path, { Host: host })).status, 403, `${host} ${path}`);
    assert.equal((await ask("/trace?symbol=A", { Host: host }, "POST")).status, 403, host);
    for (const path of ["/healthz", "/readyz"]) assert.equal((await ask(path, { Host: host })).status, 200, host);
  }
});

test("a program can start a trace with a POST; a page of another site cannot", async () => {
  assert.equal((await ask("/trace?symbol=A")).status, 405);
  const origin = `http://127.0.0.1:${gateway.adminPort}`;
  const allowed: Record<string, string>[] = [
    {},
    { "Content-Type": "application/json" },
    { Origin: origin, Host: origin.slice(7), "Sec-Fetch-Site": "same-origin" },
  ];
  for (const headers of allowed) {
    const { status, body } = await ask("/trace?symbol=A", headers, "POST");
    assert.equal(status, 200, JSON.stringify(headers));
    assert.match(body, /^\{"line":"trace",/);
  }
  const refused: Record<string, string>[] = [
    { Origin: "https://evil.example" },
    { Origin: "null" },
    { Origin: "http://127.0.0.1:1" },
    { "Sec-Fetch-Site": "cross-site" },
    { "Sec-Fetch-Site": "same-site" },
    { "Content-Type": "text/plain" },
    { "Content-Type": "application/x-www-form-urlencoded" },
    { "Content-Type": "multipart/form-data; boundary=x" },
  ];
  for (const headers of refused)
    assert.equal((await ask("/trace?symbol=A", headers, "POST")).status, 403, JSON.stringify(headers));
  for (const method of ["PUT", "DELETE", "POST", "OPTIONS"])
    assert.equal((await ask("/metrics", {}, method)).status, 405, method);
});

test("open traces do not prevent new ones", async (t) => {
  const open = async () => {
    const asked = request({ port: gateway.adminPort, path: "/trace?symbol=A", method: "POST", agent: false }).end();
    t.after(() => asked.destroy());
    const [response] = await once(asked, "response");
    assert.equal(response.statusCode, 200);
    return response;
  };
  const [first] = [await open(), await open(), await open(), await open()];
  const ended = once(first.resume(), "end");
  for (let count = 0; count < 20; count++) await open();
  await ended;
  const admin = `http://127.0.0.1:${gateway.adminPort}`;
  const traced = runTickgate("trace", "A", "--count", "1", "--url", gateway.url, "--admin", admin);
  let last = 1;
  const ticking = setInterval(() => gateway.tick("A", { last: ++last }), 50);
  t.after(() => clearInterval(ticking));
  const { code, stdout, stderr } = await traced;
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^1 ticks/m);
});

function slow(text: string): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect(gateway.adminPort, "127.0.0.1", () => {
      socket.write(text);
      resolve(socket);
    });
    socket.on("error", () => resolve(socket));
  });
}

test("slow connections leave room for health checks, and are closed", async (t) => {
  const head = "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n";
  const texts = [
    "",
    "GET /hea",
    `${head}X-Slow: `,
    `${head}Content-Length: 9\r\n\r\n`.replace("GET", "POST"),
    `${head}\r\n`,
  ];
  const sockets = await Promise.all(Array.from({ length: 256 }, (_, index) => slow(texts[index % texts.length])));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  for (let count = 0; count < 10; count++) {
    const asked = performance.now();
    assert.equal((await ask("/healthz")).status, 200);
    assert.equal((await ask("/readyz")).status, 200);
    assert.ok(performance.now() - asked < 1_000);
  }
  const open = () => Promise.resolve(sockets.filter((socket) => !socket.closed && !socket.destroyed).length);
  for (const socket of sockets) socket.resume();
  await polled(open, (count) => count === 0, "slow connections to be closed");
});

test("requests that do not wait for their answers close the connection, at little cost", async () => {
  const socket = await slow("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".repeat(5_000));
  socket.resume();
  if (!socket.closed) await new Promise((resolve) => socket.on("close", resolve));
  assert.equal((await ask("/healthz")).status, 200);
});

test("it listens on 127.0.0.1 for any clients' address, or at --admin-host", async (t) => {
  const open = await GatewayProcess.open("--host", "127.0.0.2");
  t.after(() => open.close());
  assert.equal((await open.admin("/healthz")).status, 200);
  await assert.rejects(fetch(`http://127.0.0.2:${open.adminPort}/healthz`));
  const elsewhere = await GatewayProcess.open("--admin-host", "127.0.0.3");
  t.after(() => elsewhere.close());
  assert.equal((await fetch(`http://127.0.0.3:${elsewhere.adminPort}/healthz`)).status, 200);
  await assert.rejects(elsewhere.admin("/healthz"));
});

test("a process that reports ready answers", async (t) => {
  const logged = await GatewayProcess.open("--log-format", "json");
  t.after(() => logged.close());
  await polled(
    () => Promise.resolve(logged.stderr),
    (text) => text.includes('"msg":"ready"'),
    "the line in the log",
  );
  assert.equal((await logged.admin("/readyz")).status, 200);
  // A port in use is reported before anything is printed.
  const taken = ["--port", "0", "--admin-port", String(logged.adminPort), "--feed", "sim:?symbols=1&rate=1"];
  const { code, stderr } = await runTickgate("all", ...taken);
  assert.equal(code, 2);
  assert.doesNotMatch(stderr, /ready/);
});
