import assert from "node:assert/strict";
import { test } from "node:test";
import { pack } from "msgpackr";
import { FIELDS } from "../../src/base/tick.ts";
import { type Client, FakeServer, INTERVAL, type Script, SYMBOLS } from "./fake_server.testing.ts";
import { FAULTS } from "./faults.ts";
import { against, faultsOf, planOf, until } from "./swarm.testing.ts";
import { Swarm } from "./swarm.ts";
import { createProtocol } from "./tickgate_protocol.ts";

const snapshot = (client: Client) => client.frame(0, client.tick(0, 1), client.tick(1, 1));

/** For each check a server that breaks this promise. The swarm must report this fault and no other. */
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
  test(`detects: ${FAULTS[key]}`, async () => {
    const ownSnapshot = key === "fields" || key === "tooLarge";
    const script: Script = {
      ...breaker,
      play: (client, grants) => {
        if (!ownSnapshot) snapshot(client);
        breaker.play?.(client, grants);
        // The last message: it arrives after all others.
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

for (const [name, script] of [
  [FAULTS.tooYoung, { grant: (client) => grant(client, { delayed: SYMBOLS.map((symbol) => [symbol, 50]) }) }],
  [FAULTS.notLate, { grant: (client) => grant(client, { delayed: [[SYMBOLS[0], 50]] }), play: () => {} }],
] as [string, Partial<Script>][])
  test(`detects: ${name}`, async () => {
    await against(
      { play: snapshot, ...script },
      (swarm) => until(() => faultsOf(swarm).join() === name, name),
      {},
      { delay: 50 },
    );
  });

test("detects: a silence longer than a heartbeat", async () => {
  const script: Script = {
    greet: (client) => client.control({ op: "hello", heartbeat: 1 }),
    play: (client) => {
      snapshot(client);
      setTimeout(() => client.control({ op: "heartbeat", time: 0 }), 1_100).unref();
    },
  };
  await against(script, (swarm) => until(() => faultsOf(swarm).includes(FAULTS.silent), FAULTS.silent));
});

test("detects: a tick after unsubscribed, and no new snapshot after subscribing again", async () => {
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

test("a server that keeps its promises has no faults: conflation, gaps, resets, other messages, a changed selection", async () => {
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

test("answers in parts: granted symbols tick at once, and the last part completes the answer", async () => {
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
      // The client is still subscribed to the other symbol.
      client.frame(1_000, client.tick(1, 2));
      client.socket.once("pong", () => {
        [isEnding, isEnded] = [false, true];
        client.control({ op: "unsubscribed", symbols: [SYMBOLS[1]] });
      });
      // The pong shows that the client has read all messages before the ping.
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

test("ticks left out count as conflated except after gaps; old ticks count as late; snapshots have no age", async () => {
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

test("slots that are behind, ahead or have other values are found", async () => {
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

test("refused, closed and lost connections are counted with the reason", async () => {
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
    { plan: planOf(port), first: 0, connections: 1 },
    createProtocol({ market: SYMBOLS, connections: 1, perConnection: 2, settings: {} }),
  );
  await swarm.open();
  assert.deepEqual(swarm.result().refused, [["ECONNREFUSED", 1]]);
  await swarm.close();
});

test("a slow connection reads at its rate and a stalled one not at all, until the swarm settles", async () => {
  const frames = 2_000;
  const play = (client: Client) => {
    snapshot(client);
    for (let frame = 1; frame <= frames; frame++)
      client.frame(INTERVAL * frame, client.tick(0, frame + 1), client.tick(1, frame + 1));
  };
  const check = async (swarm: Swarm) => {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const { classes, seconds, open } = swarm.result();
    assert.equal(open, 3);
    assert.equal(classes.healthy.connections, 1);
    // Its budget was full when the count began.
    assert.ok(classes.slow.bytes > 0 && classes.slow.bytes < 2_000 * (seconds + 2), `${classes.slow.bytes} bytes`);
    assert.equal(classes.stalled.ticks, 0);
    swarm.settle();
    const least = Float64Array.of(frames + 1, frames + 1);
    await until(() => swarm.behind(least).count === 0, "all clients to have the last ticks");
    assert.deepEqual(faultsOf(swarm), []);
  };
  await against({ play }, check, { connections: 3, slow: 1, slowBytes: 2_000, stalled: 1 });
});

test("fragments form one message", async () => {
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
