/** The watch on a terminal: table and footer, redrawn a few times a second, and the keys. */
import type { ConnectionState, TickgateClient } from "../../client/client.ts";
import type { Screen } from "../terminal/screen.ts";
import { cut, type Style } from "../terminal/style.ts";
import type { Missing } from "./missing.ts";
import { count } from "./number.ts";
import type { WatchTable } from "./table.ts";

/** The shortest time between two redraws, ms. */
const REDRAW = 100;
const SECOND = 1_000;

export class LiveView {
  readonly #client: TickgateClient;
  readonly #table: WatchTable;
  readonly #screen: Screen;
  readonly #style: Style;
  readonly #waitingFor: () => readonly Missing[];
  #timer: NodeJS.Timeout | undefined;
  /** The counts of a second ago, and the time of that reading, ms. */
  #before = { ticks: 0, conflated: 0 };
  #secondAt = performance.now();
  #ticksPerSecond = 0;
  #conflatedPerSecond = 0;
  #rejected = 0;
  #quality = "";
  #missing = "";
  #retryAt = 0;

  /** @param waitingFor the requested symbols without a tick */
  constructor(
    client: TickgateClient,
    table: WatchTable,
    screen: Screen,
    style: Style,
    waitingFor: () => readonly Missing[],
  ) {
    this.#client = client;
    this.#table = table;
    this.#screen = screen;
    this.#style = style;
    this.#waitingFor = waitingFor;
    client.on("granted", (quote) => table.granted(quote));
    client.on("ended", (quote) => table.ended(quote));
    client.on("tick", (quote) => table.tick(quote));
    client.on("connection", (state) => this.#connection(state));
    client.on("rejected", () => void this.#rejected++);
    // The footer counts refused symbols; there is no room for more beside the table.
    client.on("error", () => {});
    client.on("quality", ({ state, reason }) => {
      this.#quality = state === "conflating" ? `conflating (${reason})` : "";
    });
  }

  /** @param quit called when the user presses the key to quit */
  start(quit: () => void): void {
    this.#screen.enter(
      (text) => this.#key(text, quit),
      () => this.#draw(),
    );
    this.#timer = setInterval(() => this.#turn(), REDRAW);
    this.#draw();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#screen.leave();
  }

  #key(text: string, quit: () => void): void {
    for (const key of text) {
      // In raw mode Ctrl-C is a character, not a signal.
      if (key === "q" || key === "\x03") return quit();
      if (key === "s") this.#table.toggle();
    }
  }

  #connection(state: ConnectionState): void {
    this.#quality = "";
    if (state.phase === "open") this.#rejected = 0;
    if (state.phase === "waiting") this.#retryAt = performance.now() + state.retryIn;
  }

  #turn(): void {
    const now = performance.now();
    const passed = now - this.#secondAt;
    if (passed >= SECOND) {
      const { ticks, conflated } = this.#client.stats;
      this.#ticksPerSecond = ((ticks - this.#before.ticks) / passed) * SECOND;
      this.#conflatedPerSecond = ((conflated - this.#before.conflated) / passed) * SECOND;
      this.#before = { ticks, conflated };
      this.#secondAt = now;
      this.#table.second();
      this.#missing = this.#client.state === "live" ? missingText(this.#waitingFor()) : "";
    }
    this.#draw();
  }

  #draw(): void {
    const { width, height } = this.#screen;
    const lines = this.#table.draw(width, height - 1);
    while (lines.length < height - 1) lines.push("");
    lines.push(this.#footer(width, Math.max(0, this.#table.size - Math.max(0, height - 2))));
    this.#screen.draw(lines);
  }

  #footer(width: number, hidden: number): string {
    const state = this.#client.connection;
    const { roundTrip } = this.#client.stats;
    const head = this.#head(state);
    const parts = [
      hidden > 0 ? `${count(hidden)} more not shown` : `${count(this.#table.size)} symbols`,
      `rtt ${roundTrip === undefined ? "-" : roundTrip.toFixed(1)} ms`,
      `${count(this.#ticksPerSecond)} ticks/s`,
      `${count(this.#conflatedPerSecond)} conflated/s`,
      this.#missing,
      this.#rejected > 0 ? `${this.#rejected} rejected` : "",
      this.#quality,
      `s: by ${this.#table.order === "symbol" ? "activity" : "symbol"}`,
      "q: quit",
    ];
    const text = cut([head, ...parts.filter((part) => part !== "")].join(" · "), width);
    const paint = state.phase === "open" ? this.#style.good : this.#style.bad;
    return paint(text.slice(0, head.length)) + text.slice(head.length);
  }

  #head(state: ConnectionState): string {
    switch (state.phase) {
      case "open":
        return `connected to ${state.hello.node}`;
      case "silent":
        return `NOTHING HEARD from ${state.hello.node}`;
      case "waiting": {
        const seconds = Math.max(0, Math.ceil((this.#retryAt - performance.now()) / SECOND));
        return `NO CONNECTION: ${state.reason}; again in ${seconds} s`;
      }
      case "ended":
        return state.reason;
      default:
        return "connecting…";
    }
  }
}

/** The symbols without a tick, as many as fit into the footer. */
function missingText(all: readonly Missing[]): string {
  if (all.length === 0) return "";
  return all.length === 1 ? all[0].why : `${all[0].why}, nor ${count(all.length - 1)} more`;
}
