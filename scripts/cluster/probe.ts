/** Whether servers answer, and ports that are free. */
import { once } from "node:events";
import { connect, createServer } from "node:net";

/** How long one look may take, in milliseconds. */
const PATIENCE = 1_000;
/** How long to wait between two looks, in milliseconds. */
const PAUSE = 25;

/** So many ports that were free a moment ago, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

/** Whether a GET is answered with 200. */
export async function answersOk(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE) });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}

/** Whether a Redis answers a PING. */
export function redisAnswers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("PING\r\n"));
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(PATIENCE, () => end(false));
    socket.on("error", () => end(false));
    socket.on("close", () => end(false));
    socket.on("data", (data) => end(data.toString().startsWith("+PONG")));
  });
}

/** Looks again and again. @returns whether it came true before the deadline, in milliseconds from now */
export async function comesTrue(look: () => boolean | Promise<boolean>, deadline: number): Promise<boolean> {
  for (const end = performance.now() + deadline; ; ) {
    if (await look()) return true;
    if (performance.now() >= end) return false;
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}
