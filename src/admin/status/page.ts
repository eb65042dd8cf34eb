/** A node's report as an HTML page: one request, and a script that refreshes it. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { STAGES } from "../../gateway/counts.ts";
import { amount, bytes, duration, percent, whole } from "./format.ts";
import { Html, type HtmlValue, html } from "./html.ts";
import { problemsOf, SKEWED } from "./problems.ts";
import type {
  AgesReport,
  ClientReport,
  FeedReport,
  GatewayReport,
  NodeReport,
  PublishedReport,
  RedisReport,
  ShardReport,
  WorkerReport,
} from "./report.ts";

const STYLE = readFileSync(new URL("page.css", import.meta.url), "utf8");

/** The script at /status.js. */
export const PAGE_SCRIPT = readFileSync(new URL("page.js", import.meta.url), "utf8");

/** The Content-Security-Policy of the page: its own style and script, and nothing else. */
export const PAGE_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash("sha256").update(STYLE).digest("base64")}'`,
  "script-src 'self'",
  "connect-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** A shard is shown when its last batch is older, ms: heartbeats arrive twice a second. */
const OLD_BATCH = 1_000;

/** The tooltip of each stage. */
const STAGE_WORDS: Readonly<Record<(typeof STAGES)[number], string>> = {
  source: "from the event to the feed's receipt",
  feed: "until its batch was made",
  bus: "until it was in this node's table",
  interval: "until the client's turn was due: what it asked for",
  server: "this node was late",
  client: "the client's window was full: it reads slowly",
  network: "on its way, until it had arrived",
};

interface Column<Row> {
  readonly title: string;
  /** The tooltip. */
  readonly help?: string;
  /** The CSS classes of its cells. */
  readonly kind?: string;
  cell(row: Row): HtmlValue;
}

/** The page. */
export function statusPage(report: NodeReport): string {
  const { node, unready, gateway, feeds, workers } = report;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${unready === null ? "" : "NOT READY · "}${node} · Tickgate</title>
<link rel="icon" href="data:,">
<style>${new Html(STYLE)}</style>
<script src="status.js" defer></script>
</head>
<body>
<header data-part="head">${head(report)}</header>
<p id="lost" hidden></p>
<ul class="problems" data-part="problems">${problemsOf(report).map(
    ({ severity, text }) => html`<li class="${severity}">${text}</li>`,
  )}</ul>
<dl class="tiles" data-part="tiles">${tiles(report).map(([name, value, more]) => tile(name, value, more))}</dl>
${gateway ? section("ages", "Where the time of ticks goes, from the event to the arrival", table(AGES, gateway.ages ? [gateway.ages] : [], "no tick has arrived lately")) : ""}
${gateway ? section("clients", clientsTitle(gateway), table(CLIENTS, gateway.clients, "nobody is connected")) : ""}
${section("feeds", "Feeds", feedTable(feeds))}
${gateway ? section("shards", "Shards that are worth a look", table(SHARDS, notable(feeds), "no shard is otherwise than its feed")) : ""}
${workers.length > 0 ? section("workers", "Workers", table(WORKERS, workers, "")) : ""}
${gateway ? section("counts", "Since the start", counts(gateway)) : ""}
</body>
</html>
`;
  return page.text;
}

function head({ node, version, unready, time, uptime, redis, pid }: NodeReport): Html {
  const state =
    unready === null ? html`<span class="good">ready</span>` : html`<span class="critical">NOT READY</span>`;
  const bus = redis
    ? html`<span class="${redis.connected ? "soft" : "critical"}">${redisText(redis)}</span>`
    : html`<span class="soft">no Redis: one process</span>`;
  return html`<h1>${node}</h1>
<span class="state">${state}</span>
${bus}
<span class="soft">up ${duration(uptime)}</span>
<span class="soft">Tickgate ${version}, process ${pid}</span>
<span class="soft">${new Date(time / 1_000).toISOString().slice(0, 19).replace("T", " ")} UTC</span>`;
}

function redisText({ address, connected, reason, roundTrip, reconnects }: RedisReport): string {
  if (!connected) return `${address} NOT CONNECTED: ${reason}`;
  const trip = roundTrip === null ? "connected" : `answers in ${duration(roundTrip)}`;
  return `${address} ${trip}${reconnects > 0 ? `, lost ${whole(reconnects)} times` : ""}`;
}

type Tile = readonly [name: string, value: string, more: string];

function tiles({ process, gateway }: NodeReport): Tile[] {
  const { cpu, loop, memory, heap } = process;
  const own: Tile[] = [
    ["CPU", percent(cpu), "of a core"],
    ["event loop", percent(loop), "busy"],
    ["memory", bytes(memory), `heap ${bytes(heap)}`],
  ];
  if (!gateway) return own;
  const { connections, connectionsLimit, rates, symbols, lag, waiting, conflating } = gateway;
  const { ticksIn, ticksOut, bytesOut } = rates;
  const conflated = conflatedOf(gateway);
  const less = conflating.client + conflating.server;
  return [
    ["connections", whole(connections), `of at most ${whole(connectionsLimit)}`],
    ["less than granted", whole(less), `${whole(conflating.client)} client, ${whole(conflating.server)} server`],
    ["ticks in", `${amount(ticksIn)}/s`, `${whole(symbols.known)} symbols`],
    ["ticks out", `${amount(ticksOut)}/s`, `${bytes(bytesOut)}/s`],
    ["conflated", percent(conflated / Math.max(1, conflated + ticksOut)), conflatedBy(gateway)],
    ["stale symbols", whole(symbols.stale), symbols.closed > 0 ? `${whole(symbols.closed)} closed` : "none closed"],
    ["turns late by", duration(lag), `${whole(waiting)} wait`],
    ...own,
  ];
}

function conflatedOf({ rates }: GatewayReport): number {
  return Object.values(rates.conflated).reduce((sum, rate) => sum + rate, 0);
}

/** The cause of conflation, when it is not only the interval that clients asked for. */
function conflatedBy(gateway: GatewayReport): string {
  const { server, client } = gateway.rates.conflated;
  const whole = conflatedOf(gateway);
  if (whole === 0) return "nothing";
  return `${percent(client / whole)} of it client, ${percent(server / whole)} server`;
}

function tile(name: string, value: string, more: string): Html {
  return html`<div><dt>${name}</dt><dd>${value}<small>${more}</small></dd></div>`;
}

function section(name: string, title: string, content: Html): Html {
  return html`<section><h2>${title}</h2><div class="scroll" data-part="${name}">${content}</div></section>`;
}

function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], empty: string): Html {
  if (rows.length === 0) return html`<p class="empty">${empty}</p>`;
  const titles = columns.map(
    ({ title, help = "", kind = "" }) => html`<th class="${kind}" title="${help}">${title}</th>`,
  );
  const lines = rows.map(
    (row) =>
      html`<tr>${columns.map(({ title, kind = "", cell }) => html`<td class="${kind}" data-title="${title}">${cell(row)}</td>`)}</tr>\n`,
  );
  return html`<table><thead><tr>${titles}</tr></thead><tbody>${lines}</tbody></table>`;
}

function clientsTitle({ clients, connections }: GatewayReport): string {
  return clients.length < connections
    ? `The slowest ${whole(clients.length)} of ${whole(connections)} clients`
    : "Clients, the slowest first";
}

const CLIENTS: readonly Column<ClientReport>[] = [
  { title: "behind", cell: ({ behind, why }) => marked(duration(behind), why === "" ? "" : "critical state") },
  { title: "address", kind: "left", cell: ({ address }) => address },
  { title: "user agent", kind: "left agent", cell: ({ agent }) => html`<span title="${agent}">${agent || "-"}</span>` },
  { title: "what is wrong", kind: "left why", cell: ({ why }) => why },
  { title: "age of a tick", cell: ({ age }) => (age === null ? "-" : duration(age)) },
  {
    title: "round trip (bare)",
    kind: "wide",
    cell: ({ roundTrip, bareRoundTrip }) =>
      roundTrip === null || bareRoundTrip === null ? "-" : `${duration(roundTrip)} (${duration(bareRoundTrip)})`,
  },
  { title: "on its way", kind: "wide", cell: ({ inFlight, window }) => `${bytes(inFlight)} of ${bytes(window)}` },
  {
    title: "conflated",
    cell: ({ ticks, conflated }) => percent(conflated / Math.max(1, ticks + conflated)),
  },
  {
    title: "symbols",
    cell: ({ symbols, interval }) => (interval === null ? "0" : `${whole(symbols)} at ${whole(interval)} ms`),
  },
  { title: "connected for", cell: ({ connectedFor }) => duration(connectedFor) },
  { title: "session", kind: "left", cell: ({ session }) => session },
];

/** A column that has values only for published, or only for received feeds. */
interface FeedColumn extends Column<FeedReport> {
  readonly of?: "published" | "heard";
}

function feedTable(feeds: readonly FeedReport[]): Html {
  const columns = FEEDS.filter(({ of }) => of === undefined || feeds.some((feed) => feed[of] !== null));
  return table(columns, feeds, "no feed is known");
}

const FEEDS: readonly FeedColumn[] = [
  { title: "feed", kind: "left", cell: ({ feed }) => feed },
  { title: "here", kind: "left", cell: role },
  { title: "source", kind: "left", of: "published", cell: ({ published }) => source(published) },
  { title: "epoch", cell: ({ published, heard }) => published?.epoch ?? heard?.epoch ?? "-" },
  { title: "symbols", cell: ({ published, heard }) => whole(heard?.symbols ?? published?.symbols ?? 0) },
  {
    title: "stale",
    of: "heard",
    cell: ({ heard }) => (heard ? marked(whole(heard.stale), heard.stale > 0 ? "warning state" : "") : "-"),
  },
  { title: "ticks made", of: "published", cell: ({ published }) => (published ? `${amount(published.ticks)}/s` : "-") },
  { title: "heard", of: "heard", cell: ({ heard }) => (heard ? `${amount(heard.ticks)}/s` : "-") },
  {
    title: "bus",
    of: "heard",
    cell: ({ heard }) => (heard === null || heard.transit === null ? "-" : duration(heard.transit)),
  },
  { title: "clock ahead by", of: "heard", cell: ({ heard }) => skew(heard?.clockSkew ?? null) },
  { title: "last tick", cell: ({ published, heard }) => ago(heard ? heard.lastTick : (published?.lastTick ?? null)) },
  { title: "last batch heard", of: "heard", cell: ({ heard }) => ago(heard?.lastBatch ?? null) },
  {
    title: "silent shards",
    of: "heard",
    cell: ({ heard }) =>
      heard ? marked(`${heard.silent} of ${heard.shards.length}`, heard.silent > 0 ? "critical state" : "") : "-",
  },
];

function role({ published, heard }: FeedReport): Html {
  const words = [published?.role ?? "", heard ? "heard" : ""].filter((word) => word !== "").join(", ");
  return marked(words, published?.role === "waiting" ? "critical state" : "");
}

function source(published: PublishedReport | null): HtmlValue {
  if (published === null) return "-";
  const { connected, disconnects } = published;
  const lost = disconnects > 0 ? `, lost ${disconnects === 1 ? "once" : `${whole(disconnects)} times`}` : "";
  return connected ? `connected${lost}` : marked(`NOT CONNECTED${lost}`, "critical state");
}

function skew(millis: number | null): HtmlValue {
  if (millis === null) return "-";
  const text = `${millis < 0 ? "-" : ""}${duration(Math.abs(millis))}`;
  return marked(text, Math.abs(millis) > SKEWED ? "warning state" : "");
}

/** One row: the time of each stage, and their sum. */
const AGES: readonly Column<AgesReport>[] = [
  ...STAGES.map((stage) => ({
    title: stage,
    help: STAGE_WORDS[stage],
    cell: ({ stages, mean }: AgesReport) => marked(duration(stages[stage]), stages[stage] > mean / 2 ? "state" : ""),
  })),
  { title: "together", cell: ({ mean }) => marked(duration(mean), "state") },
  { title: "half within", cell: ({ p50 }) => duration(p50) },
  { title: "99% within", cell: ({ p99 }) => duration(p99) },
];

interface NotableShard extends ShardReport {
  readonly feed: string;
}

/** A feed that is silent on all shards is shown once, not for each shard. */
function notable(feeds: readonly FeedReport[]): NotableShard[] {
  return feeds.flatMap(({ feed, heard }) => {
    if (!heard || heard.silent === heard.shards.length) return [];
    const shards = heard.shards.filter(({ silent, missing, age }) => silent || missing || age > OLD_BATCH);
    return shards.map((shard) => ({ feed, ...shard }));
  });
}

const SHARDS: readonly Column<NotableShard>[] = [
  { title: "feed", kind: "left", cell: ({ feed }) => feed },
  { title: "shard", cell: ({ shard }) => shard },
  { title: "last batch", cell: ({ batch }) => whole(batch) },
  { title: "age", cell: ({ age }) => ago(age) },
  {
    title: "state",
    kind: "left",
    cell: ({ silent, missing }) =>
      silent ? marked("silent", "critical state") : missing ? marked("batches are missing", "warning state") : "late",
  },
];

const WORKERS: readonly Column<WorkerReport>[] = [
  { title: "worker", cell: ({ worker }) => worker },
  { title: "node", kind: "left", cell: ({ node }) => node },
  { title: "process", cell: ({ pid }) => pid },
  { title: "up", cell: ({ uptime }) => duration(uptime) },
  { title: "connections", cell: ({ connections }) => whole(connections) },
  { title: "ticks out", cell: ({ ticksOut }) => `${amount(ticksOut)}/s` },
  { title: "CPU", cell: ({ process }) => percent(process.cpu) },
  { title: "event loop", cell: ({ process }) => percent(process.loop) },
  { title: "memory", cell: ({ process }) => bytes(process.memory) },
  { title: "turns late by", cell: ({ lag }) => duration(lag) },
  {
    title: "state",
    kind: "left why",
    cell: ({ unready }) => (unready === null ? marked("ready", "good") : marked(unready, "critical state")),
  },
];

function counts({ refused, closed }: GatewayReport): Html {
  return html`<p class="empty">Connections refused: ${listed(refused)}. Closed by this node: ${listed(closed)}.</p>`;
}

function listed(counts: Readonly<Record<string, number>>): string {
  const entries = Object.entries(counts).filter(([, count]) => count > 0);
  return entries.length === 0 ? "none" : entries.map(([name, count]) => `${name} ${whole(count)}`).join(", ");
}

function ago(millis: number | null): string {
  return millis === null ? "-" : `${duration(millis)} ago`;
}

function marked(text: string, kind: string): Html {
  return html`<span class="${kind}">${text}</span>`;
}
