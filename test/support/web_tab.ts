/**
 * Tabs of a browser that can really be hidden, by another tab in front. The driver of the other tests reports every
 * page as visible, so these use the browser's own protocol.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { WebSocket } from "ws";
import { BROWSER, BROWSER_ARGS } from "./browser.ts";
import { polled } from "./gateway_process.ts";

type Answer = Readonly<Record<string, unknown>>;

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly sessionId?: string;
  readonly params?: Answer;
  readonly result?: Answer;
  readonly error?: { readonly message: string };
}

export class TabBrowser {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, { resolve(answer: Answer): void; reject(error: Error): void }>();
  readonly #tabs = new Map<string, Tab>();
  #lastId = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data) => this.#heard(JSON.parse(String(data)) as Message));
  }

  /** It is closed with the test. */
  static async launch(t: TestContext): Promise<TabBrowser> {
    const folder = mkdtempSync(join(tmpdir(), "tickgate-browser-"));
    const args = [...BROWSER_ARGS, "--headless=new", "--remote-debugging-port=0", `--user-data-dir=${folder}`];
    const child = spawn(BROWSER as string, [...args, "about:blank"], { stdio: ["ignore", "ignore", "pipe"] });
    t.after(async () => {
      await ended(child);
      rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
    });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => {
      said += chunk;
    });
    const found = () => /DevTools listening on (ws:\S+)/.exec(said)?.[1] ?? "";
    const address = await polled(
      async () => found(),
      (url) => url !== "",
      "the browser's address",
    );
    const socket = new WebSocket(address);
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    return new TabBrowser(socket);
  }

  async open(address: string): Promise<Tab> {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const tab = new Tab(this, targetId as string, sessionId as string);
    this.#tabs.set(sessionId as string, tab);
    await tab.begin(address);
    return tab;
  }

  send(method: string, params: Answer = {}, sessionId?: string): Promise<Answer> {
    const id = ++this.#lastId;
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  #heard({ id, method, sessionId, params, result, error }: Message): void {
    if (id === undefined) {
      if (method && sessionId) this.#tabs.get(sessionId)?.heard(method, params ?? {});
      return;
    }
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) waiting?.reject(new Error(error.message));
    else waiting?.resolve(result ?? {});
  }
}

export class Tab {
  /** Bytes received over its WebSockets. */
  bytes = 0;
  /** Commands that it sent, to subscribe or to unsubscribe. */
  subscribes = 0;
  readonly #browser: TabBrowser;
  readonly #target: string;
  readonly #session: string;

  constructor(browser: TabBrowser, target: string, session: string) {
    this.#browser = browser;
    this.#target = target;
    this.#session = session;
  }

  async begin(address: string): Promise<void> {
    await this.#send("Network.enable");
    await this.#send("Page.enable");
    await this.#send("Page.navigate", { url: address });
  }

  /** Brings it to the front. */
  async show(): Promise<void> {
    await this.#browser.send("Target.activateTarget", { targetId: this.#target });
  }

  /** The value of an expression in the page. */
  async value<T>(expression: string): Promise<T> {
    const { result } = await this.#send("Runtime.evaluate", { expression, returnByValue: true });
    return (result as { value: T }).value;
  }

  heard(method: string, params: Answer): void {
    if (method !== "Network.webSocketFrameReceived" && method !== "Network.webSocketFrameSent") return;
    const { opcode, payloadData } = params.response as { opcode: number; payloadData: string };
    // Binary frames are reported in base64.
    if (method === "Network.webSocketFrameSent") {
      if (Buffer.from(payloadData, opcode === 2 ? "base64" : "utf8").includes("subscribe")) this.subscribes++;
      return;
    }
    this.bytes += opcode === 2 ? (payloadData.length * 3) / 4 : payloadData.length;
  }

  #send(method: string, params?: Answer): Promise<Answer> {
    return this.#browser.send(method, params, this.#session);
  }
}

async function ended(child: ChildProcess): Promise<void> {
  const end = new Promise((resolve) => child.once("close", resolve));
  child.kill("SIGKILL");
  await end;
}
