/** A certificate is renewed ten times while 1,000 clients are connected and others connect and disconnect. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, test } from "node:test";
import { connect } from "node:tls";
import { WebSocket } from "ws";
import { CertificateFolder } from "../support/certificate.ts";
import { GatewayProcess, polled } from "../support/gateway_process.ts";

// The certificates sign themselves.
process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
const CLIENTS = 1_000;
const RENEWALS = 10;
/** Clients that connect in a row, so that some do while the listener changes. */
const COMERS = 4;
/** The largest growth of the gateway, MB: the allocator keeps some memory of handshakes. */
const GROWTH = 60;

const folder = new CertificateFolder();
after(() => folder.close());

function filesOf({ pid }: GatewayProcess): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

function megabytesOf({ pid }: GatewayProcess): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1_024;
}

/** The name in the certificate of a new connection; undefined when the connection fails. */
function shownName(port: number, servername?: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, servername }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on("error", () => resolve(undefined));
  });
}

test("ten renewals close none of 1,000 connections, and each new one gets the newest certificate", {
  timeout: 180_000,
}, async (t) => {
  const files = folder.create("round0");
  const limits = ["--max-connections-per-address", "4000", "--max-connections", "4000"];
  const gateway = await GatewayProcess.open("--tls-cert", files.cert, "--tls-key", files.key, ...limits);
  t.after(() => gateway.close());
  gateway.tick("A", { last: 0 });
  await gateway.known("A");

  let [closed, granted] = [0, 0];
  const frames = new Uint32Array(CLIENTS);
  const sockets: WebSocket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.terminate();
  });
  for (let index = 0; index < CLIENTS; index++) {
    const socket = new WebSocket(`wss://127.0.0.1:${gateway.port}/v1/stream`, "tickgate.v1.json");
    sockets.push(socket);
    socket.on("open", () => socket.send(JSON.stringify({ op: "subscribe", symbols: ["A"], interval: 0 })));
    socket.on("message", (data) => {
      const text = String(data);
      if (text.startsWith("[")) frames[index]++;
      else if (text.includes('"subscribed"')) granted++;
    });
    socket.on("error", () => {});
    socket.on("close", () => closed++);
    // In groups: all of one address at once would be above the limit on handshakes.
    if (index % 50 === 49)
      await polled(
        async () => granted,
        (count) => count > index - 50,
        "clients to be connected",
      );
  }
  await polled(
    async () => granted,
    (count) => count === CLIENTS,
    "all clients to be connected",
  );
  const [descriptors, megabytes] = [filesOf(gateway), megabytesOf(gateway)];

  let [failed, came, isOver] = [0, 0, false];
  const comers = Array.from({ length: COMERS }, async () => {
    while (!isOver) {
      if ((await shownName(gateway.port)) === undefined) failed++;
      came++;
    }
  });
  for (let round = 1; round <= RENEWALS; round++) {
    folder.replace(files, folder.create(`round${round}`));
    await polled(
      () => gateway.metric("tickgate_certificate_reloads_total"),
      (count) => count === round,
      "a reload",
    );
    for (const name of [undefined, "localhost"])
      assert.equal(await shownName(gateway.port, name), `round${round}`, `with the name ${name}`);
    const before = frames.slice();
    gateway.tick("A", { last: round });
    await polled(
      async () => frames.every((count, index) => count > before[index]),
      (all) => all,
      "a tick at every client",
    );
  }
  isOver = true;
  await Promise.all(comers);
  assert.equal(closed, 0);
  t.diagnostic(`${failed} of ${came} new connections failed while the certificate was renewed`);
  assert.ok(failed <= RENEWALS, "the kernel resets only what waits at the moment of a change");
  await polled(
    async () => filesOf(gateway),
    (count) => count <= descriptors + 8,
    "the other clients' sockets to be closed",
  );
  const growth = megabytesOf(gateway) - megabytes;
  t.diagnostic(`the gateway grew by ${Math.round(growth)} MB`);
  assert.ok(growth < GROWTH, `${growth} MB`);
});
