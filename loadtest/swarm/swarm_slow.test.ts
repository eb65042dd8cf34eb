import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { createServer } from "node:tls";
import { fileURLToPath } from "node:url";
import { pack } from "msgpackr";
import { FIELDS } from "../../src/base/tick.ts";
import { type Client, FakeServer, INTERVAL, type Script, SYMBOLS } from "./fake_server.testing.ts";
import type { Plan } from "./plan.ts";
import { Swarm } from "./swarm.ts";
import { createProtocol, FAULTS } from "./tickgate_protocol.ts";

const PATIENCE = 10_000;

function plan(port: number, more: Partial<Plan> = {}): Plan {
  return {
    ...{ host: "127.0.0.1", port, secure: false, market: SYMBOLS, connections: 1, perConnection: 2, rate: 1_000 },
    protocol: { module: "", settings: {} },
    ...{ slow: 0, slowBytes: 512, stalled: 0, stallSeconds: 0, freshBound: 60_000, clockOffset: 0, churn: 0 },
    processes: 1,
    ...more,
  };
}

/** Opens the swarm against a server that plays a script, and shows it to a look when it has opened. */
async function against<T>(
  script: Script,
  look: (swarm: Swarm, server: FakeServer) => T | Promise<T>,
  more: Partial<Plan> = {},
): Promise<T> {
  const server = await FakeServer.start(script);
  const made = plan(server.port, more);
  const { market, connections, perConnection } = made;
  const protocol = createProtocol({ market, connections, perConnection, settings: { interval: INTERVAL } });
  const swarm = new Swarm({ plan: made, first: 0, connections }, protocol);
  try {
    await swarm.open();
    swarm.startCounting();
    return await look(swarm, server);
  } finally {
    await swarm.close();
    server.stop();
  }
}

async function until(isSo: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + PATIENCE;
  while (!isSo()) {
    assert.ok(performance.now() < deadline, `waited for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const snapshot = (client: Client) => client.frame(0, client.tick(0, 1), client.tick(1, 1));
const faultsOf = (swarm: Swarm) => swarm.result().faults.map(({ name }) => name);

/** Of each check, a server that it must find out: exactly this is broken, and nothing else is said to be. */
const BREAKERS: Partial<Record<keyof typeof FAULTS, Partial<Script>>> = {
  hello: {
    greet: (client) => {
      client.control({ op: "heartbeat", time: 0 });
      client.control({ op: "hello", heartbeat: 15_000 });
    },
  },
  text: { play: (client) => client.socket.send("[1]") },
  unreadable: { play: (client) => client.socket.send(pack([1, [0, 2]])) },
  tooLarge: {
    play: (client) => client.frame(0, ...Array.from({ length: 4_000 }, () => client.tick(0, 1))),
  },
  controlTooLarge: {
    play: (client) => client.control({ op: "status", symbols: Array(3_000).fill(SYMBOLS[0]), state: "live", since: 0 }),
  },
  notWhole: { play: (client) => client.frame(200, client.tick(0, 2).slice(0, -1)) },
  notGranted: { play: (client) => client.frame(200, client.tick(7, 2)) },
  twice: { play: (client) => client.frame(200, client.tick(0, 2), client.tick(0, 3)) },
  tooSoon: { play: (client) => client.frame(INTERVAL - 0.001, client.tick(0, 2)) },
  wentBack: {
    play: (client) => {
      client.frame(200, client.tick(0, 5));
      client.control({ op: "status", symbols: SYMBOLS, state: "gap", since: 0 });
      client.frame(400, client.tick(0, 4));
    },
  },
  notCounted: { play: (client) => client.frame(200, client.tick(0, 2.5)) },
  repeated: { play: (client) => client.frame(200, client.tick(0, 1)) },
  interval: { grant: (client) => grant(client, { interval: INTERVAL - 1 }) },
  fields: {
    grant: (client) => grant(client, { fields: FIELDS.slice(1) }),
    play: (client) => client.frame(0, ...[0, 1].map((handle) => client.tick(handle, 1).slice(0, -1))),
  },
  rejected: {
    grant: (client) => grant(client, { rejected: [{ symbol: "FAKE:C", code: "invalid_symbol", message: "no" }] }),
  },
  moved: {
    grant: (client) =>
      grant(client, {
        symbols: [...SYMBOLS.map((symbol, handle) => [symbol, handle]), [SYMBOLS[0], 1]],
      }),
  },
};

function grant(client: Client, other: Record<string, unknown>): void {
  const symbols = SYMBOLS.map((symbol, handle) => [symbol, handle]);
  client.control({ op: "subscribed", interval: INTERVAL, fields: FIELDS, symbols, rejected: [], ...other });
}

for (const [key, breaker] of Object.entries(BREAKERS) as [keyof typeof FAULTS, Partial<Script>][])
  test(`found out: ${FAULTS[key]}`, async () => {
    const ownSnapshot = key === "fields" || key === "tooLarge";
    const script: Script = {
      ...breaker,
      play: (client, grants) => {
        if (!ownSnapshot) snapshot(client);
        breaker.play?.(client, grants);
        // The last word: when it has come, all before it has.
        client.control({ op: "quality", state: "realtime", reason: "server", interval: INTERVAL });
      },
    };
    await against(script, async (swarm) => {
      await until(() => swarm.result().notes.length > 0, "the end of the script");
      const faults = faultsOf(swarm);
      if (key === "tooLarge") assert.ok(faults.includes(FAULTS.tooLarge));
      else assert.deepEqual(faults, [FAULTS[key]]);
    });
  });

test("found out: a silence longer than a heartbeat", async () => {
  const script: Script = {
    greet: (client) => client.control({ op: "hello", heartbeat: 1 }),
    play: (client) => {
      snapshot(client);
      setTimeout(() => client.control({ op: "heartbeat", time: 0 }), 1_100).unref();
    },
  };
  await against(script, (swarm) => until(() => faultsOf(swarm).includes(FAULTS.silent), FAULTS.silent));
});

test("found out: a tick after unsubscribed, and a snapshot that is not sent again is missed", async () => {
  let ended = 0;
  const script: Script = {
    play: (client, grants) => {
      if (grants === 0) snapshot(client);
    },
    end: (client, symbols) => {
      ended++;
      client.control({ op: "unsubscribed", symbols });
      client.frame(500, client.tick(0, 2), client.tick(1, 2));
    },
  };
  await against(
    script,
    async (swarm) => {
      await until(() => ended > 0 && faultsOf(swarm).length > 0, "the fault");
      assert.deepEqual(faultsOf(swarm), [FAULTS.unsubscribed]);
    },
    { churn: 20 },
  );
});

test("a server that keeps its promises is told nothing: conflation, gaps, resets, other messages, a changed selection", async () => {
  const script: Script = {
    play: (client, grants) => {
      if (grants === 0) snapshot(client);
      else return client.frame(1_000 * grants, client.tick(0, 5));
      client.frame(INTERVAL, client.tick(0, 4));
      client.control({ op: "status", symbols: [SYMBOLS[0]], state: "gap", since: 0 });
      client.frame(INTERVAL * 2, client.tick(0, 4), client.tick(1, 2));
      client.control({ op: "status", symbols: [SYMBOLS[0]], state: "gap", reason: "reset", since: 0 });
      client.frame(INTERVAL * 3, client.tick(0, 1));
      client.control({ op: "status", symbols: SYMBOLS, state: "stale", since: 0 });
      client.control({ op: "of another version" });
      client.frame(INTERVAL * 4, client.tick(0, 5));
    },
  };
  await against(
    script,
    async (swarm) => {
      const least = Float64Array.of(5, 2);
      await until(() => swarm.behind(least).count === 0, "the last ticks");
      await new Promise((resolve) => setTimeout(resolve, 100));
      const { faults, classes, closed, refused } = swarm.result();
      assert.deepEqual({ faults, closed, refused }, { faults: [], closed: [], refused: [] });
      assert.equal(classes.healthy.repeated, 0);
    },
    { churn: 50 },
  );
});

test("answers in parts: what was granted ticks at once, and an answer has come with its last part", async () => {
  let [isEnding, isEnded, tooSoon] = [false, false, 0];
  const script: Script = {
    grant: (client) => {
      if (isEnding) tooSoon++;
      const part = { op: "subscribed", interval: INTERVAL, fields: FIELDS, rejected: [] };
      client.control({ ...part, more: true, symbols: [[SYMBOLS[0], 0]] });
      client.frame(isEnded ? 2_000 : 0, client.tick(0, isEnded ? 2 : 1));
      client.control({ ...part, symbols: [[SYMBOLS[1], 1]] });
      client.frame(isEnded ? 2_000 : 0, client.tick(1, isEnded ? 3 : 1));
    },
    play: () => {},
    end: (client) => {
      isEnding = true;
      client.control({ op: "unsubscribed", more: true, symbols: [SYMBOLS[0]] });
      // It still has the other one.
      client.frame(1_000, client.tick(1, 2));
      client.socket.once("pong", () => {
        [isEnding, isEnded] = [false, true];
        client.control({ op: "unsubscribed", symbols: [SYMBOLS[1]] });
      });
      // Its answer shows that all before it has been read, and what followed from that has been sent.
      client.socket.ping();
    },
  };
  await against(
    script,
    async (swarm) => {
      await until(() => swarm.behind(Float64Array.of(2, 3)).count === 0, "the ticks after the second grant");
      assert.deepEqual([swarm.result().faults, tooSoon], [[], 0]);
    },
    { churn: 20 },
  );
});

test("what was left out between two ticks is conflated, but for gaps; what is too old is late; snapshots have no age", async () => {
  let play = () => {};
  const script: Script = {
    play: (client) => {
      snapshot(client);
      play = () => {
        client.frame(INTERVAL, client.tick(0, 4));
        client.control({ op: "status", symbols: [SYMBOLS[0]], state: "gap", since: 0 });
        client.frame(INTERVAL * 2, client.tick(0, 9));
        client.frame(INTERVAL * 3, client.tick(0, 10).with(2, (Date.now() - 70_000) * 1_000 + 0.5));
      };
    },
  };
  await against(script, async (swarm) => {
    play();
    await until(() => swarm.result().classes.healthy.frames === 4, "the frames");
    const { ages, ...counts } = swarm.result().classes.healthy;
    assert.deepEqual(
      { ticks: counts.ticks, fresh: counts.fresh, late: counts.late, conflated: counts.conflated },
      { ticks: 3, fresh: 1, late: 1, conflated: 2 },
    );
    assert.ok(ages.max >= 70_000_000 && ages.max < 100_000_000);
  });
});

test("who has not arrived at what holds, has what cannot hold, or other values, is found", async () => {
  const play = (client: Client) => {
    snapshot(client);
    client.socket.on("pong", () => client.frame(INTERVAL, client.tick(0, 7)));
    setTimeout(() => client.socket.ping(), 100);
  };
  await against({ play }, async (swarm) => {
    swarm.settle();
    await until(() => swarm.behind(Float64Array.of(7, 1)).count === 0, "the tick");
    assert.equal(swarm.behind(Float64Array.of(8, 1)).count, 1);
    assert.match(swarm.behind(Float64Array.of(8, 1)).examples[0], /FAKE:A at seq 7/);
    assert.equal(swarm.ahead(Float64Array.of(6, 1)).count, 1);
    assert.equal(swarm.ahead(Float64Array.of(7, 1)).count, 0);
    const values = new Float64Array(2 * FIELDS.length).fill(Number.NaN);
    values[0] = 7;
    const seqs = Float64Array.of(7, 1);
    assert.deepEqual(swarm.values(seqs, values), { compared: 1, count: 0, examples: [] });
    values[3] = 0;
    assert.equal(swarm.values(seqs, values).count, 1);
  });
});

test("who is refused, closed or cut off is counted with the reason", async () => {
  const play = (client: Client) => {
    snapshot(client);
    client.socket.close(4408);
  };
  await against({ play }, async (swarm) => {
    await until(() => swarm.result().closed.length > 0, "the end");
    assert.deepEqual(swarm.result().closed, [["healthy, code 4408", 1]]);
  });
  const cut = (client: Client) => void client.socket.terminate();
  await against({ play: cut }, async (swarm) => {
    await until(() => swarm.result().closed.length > 0, "the end");
    assert.match(swarm.result().closed[0][0], /healthy, (no code|ECONNRESET)/);
  });
  const server = await FakeServer.start({ play: snapshot });
  const { port } = server;
  server.stop();
  const swarm = new Swarm(
    { plan: plan(port), first: 0, connections: 1 },
    createProtocol({ market: SYMBOLS, connections: 1, perConnection: 2, settings: {} }),
  );
  await swarm.open();
  assert.deepEqual(swarm.result().refused, [["ECONNREFUSED", 1]]);
  await swarm.close();
});

test("a slow reader reads as slowly as it is told, a stalled one not at all, until all settle", async () => {
  const frames = 2_000;
  const play = (client: Client) => {
    snapshot(client);
    for (let frame = 1; frame <= frames; frame++)
      client.frame(INTERVAL * frame, client.tick(0, frame + 1), client.tick(1, frame + 1));
  };
  const look = async (swarm: Swarm) => {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const { classes, seconds, open } = swarm.result();
    assert.equal(open, 3);
    assert.equal(classes.healthy.connections, 1);
    // It had a bucket full when the count began.
    assert.ok(classes.slow.bytes > 0 && classes.slow.bytes < 2_000 * (seconds + 2), `${classes.slow.bytes} bytes`);
    assert.equal(classes.stalled.ticks, 0);
    swarm.settle();
    const least = Float64Array.of(frames + 1, frames + 1);
    await until(() => swarm.behind(least).count === 0, "everyone to arrive");
    assert.deepEqual(faultsOf(swarm), []);
  };
  await against({ play }, look, { connections: 3, slow: 1, slowBytes: 2_000, stalled: 1 });
});

test("a message in parts is one message; parts in disorder are none", async () => {
  const play = (client: Client) => {
    snapshot(client);
    const whole = pack([Date.now() * 1_000 + 500_000.5, client.tick(0, 3)]);
    client.socket.send(whole.subarray(0, 9), { fin: false });
    client.socket.ping();
    client.socket.send(whole.subarray(9), { fin: true });
  };
  await against({ play }, async (swarm) => {
    await until(() => swarm.behind(Float64Array.of(3, 1)).count === 0, "the tick");
    assert.deepEqual(faultsOf(swarm), []);
  });
});

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));

async function runMain(args: readonly string[], env = process.env) {
  const child = spawn(process.execPath, [MAIN, "--quiet", ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  let [out, err] = ["", ""];
  child.stdout.on("data", (data) => (out += data));
  child.stderr.on("data", (data) => (err += data));
  const [code] = (await once(child, "close")) as [number];
  return { code, out, err };
}

// Most of their time is waiting: together they take little longer than one.
describe("the program", { concurrency: true }, () => {
  test("against a real gateway, with slow and stalled readers in two processes, every promise is kept", async () => {
    const { code, out, err } = await runMain([
      ...["--connections", "60", "--symbols", "20", "--market", "100", "--ticks", "2000", "--interval", "50"],
      ...["--duration", "3", "--warm", "1", "--slow", "10%", "--slow-bytes", "4000", "--stalled", "5%", "--stall", "1"],
      ...["--churn", "30", "--processes", "2", "--json", "-", "--max-age", "10000", "--max-slow-age", "20000"],
    ]);
    assert.equal(code, 0, `${out}\n${err}`);
    const report = JSON.parse(out);
    assert.deepEqual([report.broken, report.faults, report.open], [[], [], 60]);
    const of = (reader: string) => report.readers.find((entry: { reader: string }) => entry.reader === reader);
    assert.deepEqual([of("healthy").connections, of("slow").connections, of("stalled").connections], [51, 6, 3]);
    assert.ok(of("healthy").age.count > 1_000 && of("slow").ticks > 0 && of("stalled").ticks > 0);
    assert.ok(report.convergence.values.compared > 0);
    assert.equal(report.snapshot.count, 60);
    assert.ok(report.servers[0].memory.end > 0 && report.servers[0].user + report.servers[0].system > 0);
  });

  test("against a server that lies, the exit code is 1 and the lie is named", async () => {
    const server = await FakeServer.start({
      play: (client) => {
        snapshot(client);
        const timer = setInterval(() => client.frame(0, client.tick(0, 1)), 20);
        client.socket.on("close", () => clearInterval(timer));
      },
    });
    server.seqs = [1, 2];
    try {
      const url = `ws://127.0.0.1:${server.port}/v1/stream`;
      const { code, out } = await runMain(["--url", url, "--connections", "2", "--symbols", "2", "--duration", "1"]);
      assert.equal(code, 1, out);
      assert.match(out, /BROKEN: two ticks of a handle within the interval: \d+ times/);
      assert.match(out, /BROKEN: the same seq again/);
      assert.match(out, /BROKEN: 2 symbols never arrived at what holds \(connection 0, healthy: FAKE:B at seq 1/);
    } finally {
      server.stop();
    }
  });

  test("of a server whose clock is another, the difference is measured and taken into account", async () => {
    const server = await FakeServer.start({
      play: (client) => {
        let seq = 1;
        const timer = setInterval(() => client.frame(INTERVAL * seq, client.tick(0, seq), client.tick(1, seq++)), 20);
        client.socket.on("close", () => clearInterval(timer));
      },
    });
    server.ahead = -7_000;
    try {
      // This machine by a name that is not known to be it.
      const url = `ws://[::ffff:127.0.0.1]:${server.port}/v1/stream`;
      const args = ["--url", url, "--connections", "1", "--symbols", "2", "--duration", "1", "--json", "-"];
      const { out, err } = await runMain(args);
      const { clock, readers } = JSON.parse(out || err);
      assert.ok(clock.offset < -6_900_000 && clock.offset > -7_100_000, JSON.stringify(clock));
      assert.ok(readers[0].age.count > 0 && readers[0].age.p50 < 3_000, JSON.stringify(readers));
    } finally {
      server.stop();
    }
  });

  test("through TLS, whose certificate must be known", async () => {
    const folder = mkdtempSync(join(tmpdir(), "tickgate-swarm-"));
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const subject = "-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1";
    const request = `req -x509 -newkey rsa:2048 -nodes -days 2 ${subject} -keyout ${key} -out ${cert}`;
    const made = spawnSync("openssl", request.split(" "));
    assert.equal(made.status, 0, String(made.stderr ?? made.error));
    const server = await FakeServer.start({
      play: (client) => {
        let seq = 1;
        const timer = setInterval(() => client.frame(INTERVAL * seq, client.tick(0, seq), client.tick(1, seq++)), 20);
        client.socket.on("close", () => clearInterval(timer));
      },
    });
    const options = { key: readFileSync(key), cert: readFileSync(cert) };
    const door = createServer(options, (socket) => {
      const inside = connect(server.port, "127.0.0.1");
      socket.pipe(inside).pipe(socket);
      for (const end of [socket, inside]) end.on("error", () => inside.destroy());
    });
    door.listen(0, "127.0.0.1");
    await once(door, "listening");
    const url = `wss://localhost:${(door.address() as AddressInfo).port}/v1/stream`;
    const args = [
      "--url",
      url,
      "--connections",
      "4",
      "--slow",
      "1",
      "--symbols",
      "2",
      "--duration",
      "1",
      "--json",
      "-",
    ];
    try {
      const stranger = await runMain(args);
      assert.equal(stranger.code, 2);
      assert.match(stranger.err, /self-signed certificate/);
      const { out, err } = await runMain(args, { ...process.env, NODE_EXTRA_CA_CERTS: cert });
      const { readers, faults, refused, open } = JSON.parse(out || err);
      assert.deepEqual([faults, refused, open], [[], [], 4]);
      assert.ok(
        readers.every(({ age }: { age: { count: number } }) => age.count > 10),
        out,
      );
    } finally {
      server.stop();
      door.close();
      rmSync(folder, { recursive: true });
    }
  });

  test("wrong flags, and servers that are none, end with exit code 2 and a sentence", async () => {
    const cases: [string[], RegExp][] = [
      [["--connections", "0"], /--connections must be a whole number from 1 to 500000/],
      [["--slow", "60%", "--stalled", "60%"], /must not be more than --connections/],
      [["--url", "ws://127.0.0.1:9/v1/stream"], /does not answer as a gateway does/],
      [["--url", "http://127.0.0.1/"], /--url must be .*ws:\/\//],
      [["--url", "ws://127.0.0.1:9/v1/stream", "--market", "5"], /--market is for a gateway of its own/],
      [["--connections", "500000"], /need \d+ open files, and the limit is \d+/],
    ];
    for (const [args, message] of cases) {
      const { code, err } = await runMain(args);
      assert.equal(code, 2, err);
      assert.match(err, message);
      assert.equal(err.trim().split("\n").length, 1, err);
    }
  });
});
