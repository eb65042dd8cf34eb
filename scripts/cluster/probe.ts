/** Finds free ports and checks whether servers answer. */
import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { type AddressInfo, connect, createServer, type Server } from "node:net";

/**
 * The range of the ports: below the ports of outgoing connections (from 32768 on Linux), so that no connection takes
 * the port of a process that is being restarted.
 */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;
const MAX_TRIES = 200;
/** How long an answer may take, in milliseconds. */
const ANSWER_TIMEOUT = 1_000;
/** The pause between two checks, in milliseconds. */
const PAUSE = 25;

/** Distinct ports that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers: Server[] = [];
  for (let tries = 0; servers.length < count; tries++) {
    if (tries > count + MAX_TRIES)
      throw new Error(`there are no ${count} free ports from ${FIRST_PORT} to ${LAST_PORT}`);
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT + 1));
    const server = await listen(port);
    if (server) servers.push(server);
  }
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

function listen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}

/** What a request needs. */
export interface Credentials {
  /** The certificate of a server that nobody else vouches for. */
  readonly ca?: string;
  readonly token?: string;
}

/** Whether a GET is answered with 200. */
export async function answersOk(url: string, credentials: Credentials = {}): Promise<boolean> {
  try {
    return (await get(url, credentials)).status === 200;
  } catch {
    return false;
  }
}

/** Symbols of which one must be live: others may belong to a feed that has stopped. */
const MAX_SYMBOLS = 100;

/** Whether a gateway or a balancer has a live price. */
export async function hasLivePrice(url: string, credentials: Credentials = {}): Promise<boolean> {
  const read = async <T>(path: string) => JSON.parse((await get(`${url}${path}`, credentials)).body) as T;
  try {
    const { symbols } = await read<{ symbols: string[] }>("/v1/symbols");
    if (symbols.length === 0) return false;
    const asked = symbols.slice(0, MAX_SYMBOLS).map(encodeURIComponent).join();
    const { ticks } = await read<{ ticks: { state: string }[] }>(`/v1/ticks?symbols=${asked}`);
    return ticks.some(({ state }) => state === "live");
  } catch {
    // No answer, or an error.
    return false;
  }
}

/** Not `fetch`, which trusts no certificate of ours. */
export function get(url: string, { ca, token }: Credentials): Promise<{ status: number; body: string }> {
  const request = url.startsWith("https:") ? httpsRequest : httpRequest;
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const signal = AbortSignal.timeout(ANSWER_TIMEOUT);
  return new Promise((resolve, reject) => {
    const asked = request(url, { headers, signal, agent: false, ...(ca !== undefined && { ca }) }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => (body += part));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
      response.on("error", reject);
    });
    asked.on("error", reject).end();
  });
}

/** Whether a Redis answers a PING. */
export function redisAnswers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("PING\r\n"));
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(ANSWER_TIMEOUT, () => end(false));
    socket.on("error", () => end(false));
    socket.on("close", () => end(false));
    socket.on("data", (data) => end(data.toString().startsWith("+PONG")));
  });
}

/** Repeats a check until it is true. @param deadline ms from now @returns false after it */
export async function waitUntil(check: () => boolean | Promise<boolean>, deadline: number): Promise<boolean> {
  for (const end = performance.now() + deadline; ; ) {
    if (await check()) return true;
    if (performance.now() >= end) return false;
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}
