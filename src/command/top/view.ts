/** The view of `tickgate top`: problems, nodes side by side, feeds, and the slowest clients of all nodes. */
import { duration, whole } from "../../admin/status/format.ts";
import { problemsOf } from "../../admin/status/problems.ts";
import type { ClientReport } from "../../admin/status/report.ts";
import { TableFit } from "../terminal/fit.ts";
import { cut, type Style } from "../terminal/style.ts";
import {
  CLIENT_COLUMNS,
  CLIENT_ORDERS,
  type ClientOrder,
  FEED_COLUMNS,
  type FeedRow,
  NODE_COLUMNS,
  type TopColumn,
} from "./columns.ts";
import type { TopNode } from "./node.ts";

/** The most lines of problems; further ones are counted. */
const MOST_PROBLEMS = 8;
/** The fewest lines of the table of clients, titles included, on a small screen. */
const LEAST_CLIENTS = 4;

/** A table with its column widths. */
class View<Row> {
  readonly #columns: readonly TopColumn<Row>[];
  readonly #fit: TableFit;
  readonly #style: Style;

  constructor(columns: readonly TopColumn<Row>[], style: Style) {
    this.#columns = columns;
    this.#fit = new TableFit(columns);
    this.#style = style;
  }

  /** Titles and rows. */
  draw(rows: readonly Row[], width: number): string[] {
    const cells = rows.map((row) => this.#columns.map((column) => column.text(row)));
    const columns = this.#fit.fit(cells, width);
    const lines = rows.map((row, at) =>
      this.#fit.line(columns, cells[at], (text, index) => {
        const mood = this.#columns[index].mood?.(row);
        return mood ? this.#style[mood](text) : text;
      }),
    );
    return [this.#style.title(this.#fit.titles(columns, width)), ...lines];
  }
}

export class TopView {
  order: ClientOrder = "behind";
  /** The number of clients above the visible part. */
  #offset = 0;
  readonly #style: Style;
  readonly #nodes: View<TopNode>;
  readonly #feeds: View<FeedRow>;
  readonly #clients: View<ClientReport>;

  constructor(style: Style) {
    this.#style = style;
    this.#nodes = new View(NODE_COLUMNS, style);
    this.#feeds = new View(FEED_COLUMNS, style);
    this.#clients = new View(CLIENT_COLUMNS, style);
  }

  /** Changes the order of the clients. */
  nextOrder(): void {
    const orders = Object.keys(CLIENT_ORDERS) as ClientOrder[];
    this.order = orders[(orders.indexOf(this.order) + 1) % orders.length];
    this.#offset = 0;
  }

  /** Scrolls the clients. */
  scroll(lines: number): void {
    this.#offset = Math.max(0, this.#offset + lines);
  }

  /**
   * The lines for a terminal of so many columns and rows.
   * @param now milliseconds of the monotonic clock
   * @param hint the help line about the keys
   */
  draw(nodes: readonly TopNode[], width: number, height: number, now: number, hint = ""): string[] {
    const top = [...this.#problems(nodes, width, now), ...this.#nodes.draw(nodes, width), ""];
    const feeds = feedRows(nodes);
    if (feeds.length > 0) top.push(...this.#feeds.draw(feeds, width), "");
    const clients = this.#sorted(nodes);
    const room = Math.max(LEAST_CLIENTS, height - top.length);
    const above = top.slice(0, Math.max(0, height - room));
    // Not past the last page.
    this.#offset = Math.min(this.#offset, Math.max(0, clients.length - (room - 2)));
    const shown = clients.slice(this.#offset, this.#offset + room - 2);
    return [
      ...above,
      this.#clientsTitle(nodes, clients.length, width, hint),
      ...this.#clients.draw(shown, width),
    ].slice(0, height);
  }

  #problems(nodes: readonly TopNode[], width: number, now: number): string[] {
    const lines = nodes.flatMap((node) => {
      if (node.failure !== undefined) {
        const since = duration(now - (node.failingSince ?? now));
        return [{ isBad: true, text: `${node.location} has not answered for ${since}: ${node.failure}` }];
      }
      const problems = node.report ? problemsOf(node.report) : [];
      return problems.map(({ severity, text }) => ({ isBad: severity === "critical", text: `${node.name}: ${text}` }));
    });
    if (lines.length === 0) return [this.#style.good(cut(`${plural(nodes.length, "node")}: all is well`, width)), ""];
    lines.sort((a, b) => Number(b.isBad) - Number(a.isBad));
    const shown = lines.slice(0, MOST_PROBLEMS).map(({ isBad, text }) => {
      const line = cut(`${isBad ? "!!" : " !"} ${text}`, width);
      return isBad ? this.#style.bad(line) : this.#style.warn(line);
    });
    if (lines.length > MOST_PROBLEMS) shown.push(`   and ${lines.length - MOST_PROBLEMS} more`);
    return [...shown, ""];
  }

  #sorted(nodes: readonly TopNode[]) {
    const by = CLIENT_ORDERS[this.order];
    // The last report of a node that no longer answers is not current.
    return nodes
      .flatMap(({ report, failure: silence }) => (silence === undefined ? (report?.gateway?.clients ?? []) : []))
      .sort((a, b) => by(b) - by(a));
  }

  #clientsTitle(nodes: readonly TopNode[], listed: number, width: number, hint: string): string {
    const all = nodes.reduce((sum, { report, failure: silence }) => {
      return sum + (silence === undefined ? (report?.gateway?.connections ?? 0) : 0);
    }, 0);
    const which = listed < all ? `the slowest ${whole(listed)} of ${whole(all)} clients` : plural(all, "client");
    const from = this.#offset > 0 ? `, from number ${this.#offset + 1}` : "";
    return cut(`${which}, by ${this.order}${from}${hint}`, width);
  }
}

function plural(count: number, word: string): string {
  return `${whole(count)} ${word}${count === 1 ? "" : "s"}`;
}

/** Every feed at every node that reports it: its leader first. */
function feedRows(nodes: readonly TopNode[]): FeedRow[] {
  const rows = nodes.flatMap(({ name, report, failure: silence }) =>
    silence === undefined ? (report?.feeds ?? []).map((feed) => ({ node: name, ...feed })) : [],
  );
  const rank = ({ published }: FeedRow) => (published?.role === "leading" ? 0 : published ? 1 : 2);
  return rows.sort((a, b) => a.feed.localeCompare(b.feed) || rank(a) - rank(b) || a.node.localeCompare(b.node));
}
