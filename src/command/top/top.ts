/** `tickgate top [ADMIN-URL…]`: the reports of nodes side by side, each second or once. */
import type { CommandLine } from "../../settings/command_line.ts";
import { UsageError } from "../../settings/option.ts";
import { say } from "../terminal/lines.ts";
import { Screen } from "../terminal/screen.ts";
import { COLOURED, PLAIN_STYLE } from "../terminal/style.ts";
import { TopNode } from "./node.ts";
import { TopView } from "./view.ts";

const DEFAULT_URL = "http://127.0.0.1:9090";
/** The interval of requests to nodes, ms. */
const PERIOD = 1_000;
/** The most nodes that are shown. */
const MOST_NODES = 100;
/** The help line about the keys. */
const HINT = "   (s: sort, up and down: scroll, q: quit)";
const ESCAPE = "\x1b";
/** One key of an input with several: the sequence of an arrow key, or a character. */
const KEY = new RegExp(`${ESCAPE}\\[[\\d;]*[A-Z~]|.`, "gs");
/** The width of the output when it is no terminal. */
const PAGE_WIDTH = 160;

/**
 * Shows nodes until a key or a signal, or once when the output is no terminal. Ends with exit code 1 when no node
 * answers.
 * @throws UsageError when an operand is no address, or there are too many
 */
export async function run({ settings, operands }: CommandLine): Promise<void> {
  if (operands.length > MOST_NODES) throw new UsageError(`top shows ${MOST_NODES} nodes at most`);
  const urls = operands.length === 0 ? [DEFAULT_URL] : operands.map(adminUrl);
  const nodes = [...new Set(urls)].map((url) => new TopNode(url, settings.adminToken[0]));
  await Promise.all(nodes.map((node) => node.refresh()));
  if (nodes.every((node) => node.report === undefined)) {
    for (const { url, failure: silence } of nodes) say(`${url}: ${silence}`);
    if (operands.length === 0) say("top takes the addresses of admin ports: tickgate top gateway1:9090 gateway2:9090");
    process.exitCode = 1;
    return;
  }
  const isLive = process.stdout.isTTY && process.env.TERM !== "dumb" && !settings.topOnce;
  const view = new TopView(process.stdout.isTTY && !process.env.NO_COLOR ? COLOURED : PLAIN_STYLE);
  view.order = settings.topSort;
  if (isLive) return watch(nodes, view);
  const lines = view.draw(nodes, process.stdout.columns || PAGE_WIDTH, Number.MAX_SAFE_INTEGER, performance.now());
  process.stdout.on("error", () => {
    // A reader that closed the pipe (`| head`) is no error.
  });
  process.stdout.write(`${lines.map((line) => line.trimEnd()).join("\n")}\n`);
}

/**
 * Parses the address of an admin port; scheme and path are optional.
 * @throws UsageError
 */
export function adminUrl(text: string): string {
  const full = text.includes("://") ? text : `http://${text}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.hostname === "" || /\s/.test(text))
    throw new UsageError(`${JSON.stringify(text)} is no address of an admin port, such as http://127.0.0.1:9090`);
  return url.origin;
}

/** Shows nodes live, until a key or a signal. */
async function watch(nodes: readonly TopNode[], view: TopView): Promise<void> {
  const screen = new Screen(process.stdout, process.stdin);
  const draw = () => screen.draw(view.draw(nodes, screen.width, screen.height, performance.now(), HINT));
  await new Promise<void>((end) => {
    const keys = new Map<string, () => void>([
      ["q", end],
      // In raw mode Ctrl-C is a character, not a signal.
      ["\x03", end],
      ["s", () => view.nextOrder()],
      [`${ESCAPE}[A`, () => view.scroll(-1)],
      [`${ESCAPE}[B`, () => view.scroll(1)],
      [`${ESCAPE}[5~`, () => view.scroll(-10)],
      [`${ESCAPE}[6~`, () => view.scroll(10)],
    ]);
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => end());
    // An error cannot be shown on a terminal that is closed.
    process.stdout.on("error", () => end());
    screen.enter((text) => {
      for (const [key] of text.matchAll(KEY)) keys.get(key)?.();
      draw();
    }, draw);
    draw();
    for (const node of nodes) follow(node, draw);
  });
  screen.leave();
  process.exit();
}

/** Requests the report of a node at each interval, one request at a time. */
function follow(node: TopNode, told: () => void): void {
  const turn = async () => {
    await node.refresh();
    told();
    setTimeout(turn, PERIOD);
  };
  setTimeout(turn, PERIOD);
}
