/** The problems in a node's report: what the operator should read first. */
import { amount, duration, percent, whole } from "./format.ts";
import type { ClientReport, FeedReport, GatewayReport, NodeReport, TokensReport } from "./report.ts";

export interface Problem {
  /** `critical`: some clients have no prices, or old ones. */
  readonly severity: "critical" | "warning";
  readonly text: string;
}

/** The thresholds of a saturated event loop, of scarce connections, and of late flushes (ms). */
const BUSY = 0.95;
const SCARCE = 0.9;
const LATE = 100;
/** A clock that differs by more, ms, is not synchronised. */
export const SKEWED = 50;
/** A leading feed without a tick for so long, ms, is reported; a closed market has none either. */
const QUIET = 10_000;

/** A certificate that is valid for less, ms, should have been renewed: automatic renewal begins weeks before. */
const EXPIRING = 7 * 86_400_000;

/** The most serious first; empty when all is well. */
export function problemsOf(report: NodeReport): Problem[] {
  const { unready, redis, gateway, feeds, workers, certificate } = report;
  const problems: Problem[] = [];
  const critical = (text: string) => problems.push({ severity: "critical", text });
  const warning = (text: string) => problems.push({ severity: "warning", text });
  if (unready !== null) critical(`not ready: ${unready}`);
  if (redis && !redis.connected && !unready?.includes("Redis")) critical(`Redis is not connected: ${redis.reason}`);
  if (certificate && certificate.left <= 0) critical("the certificate has expired: clients refuse to connect");
  else if (certificate && certificate.left < EXPIRING)
    warning(`the certificate expires in ${duration(certificate.left)}: renew it`);
  if (report.tokens) problems.push(...tokenProblems(report.tokens, unready));
  for (const worker of workers)
    if (worker.unready !== null) warning(`worker ${worker.worker} is not ready: ${worker.unready}`);
  for (const feed of feeds) problems.push(...feedProblems(feed));
  if (gateway) for (const text of gatewayProblems(gateway)) warning(text);
  if (report.process.loop >= BUSY) warning(saturation(report));
  return problems.sort((a, b) => Number(b.severity === "critical") - Number(a.severity === "critical"));
}

/** Where the keys have never been read, no client that must present a token has prices. */
function tokenProblems(tokens: TokensReport, unready: string | null): Problem[] {
  const { keysAge, keysFailing, policyFailing, revocationsKnown, revocationsLeftOut } = tokens;
  const problems: Problem[] = [];
  const add = (severity: Problem["severity"], text: string) => problems.push({ severity, text });
  if (keysFailing !== null && keysAge === null)
    add("critical", `the keys of tokens cannot be read for ${duration(keysFailing)}: no token is accepted`);
  else if (keysFailing !== null)
    add("warning", `the keys of tokens cannot be read for ${duration(keysFailing)}: the last ones are in use`);
  if (policyFailing !== null)
    add("warning", `the policy cannot be read for ${duration(policyFailing)}: the last one is in force`);
  if (!revocationsKnown && !unready?.includes("revocations"))
    add("critical", "the revocations of tokens have not been read: no token is accepted");
  if (revocationsLeftOut > 0)
    add("critical", `revocations that do not fit: ${whole(revocationsLeftOut)}; such tokens are accepted`);
  return problems;
}

function feedProblems({ feed, published, heard }: FeedReport): Problem[] {
  const problems: Problem[] = [];
  if (published?.connected === false)
    problems.push({ severity: "critical", text: `feed ${feed}: not connected to its source` });
  if (published?.role === "waiting")
    problems.push({ severity: "critical", text: `feed ${feed}: waits for Redis, and publishes nothing` });
  if (published?.role === "leading" && published.lastTick !== null && published.lastTick > QUIET)
    problems.push({ severity: "warning", text: `feed ${feed}: no tick for ${duration(published.lastTick)}` });
  if (heard && Math.abs(heard.clockSkew ?? 0) > SKEWED) {
    const skew = heard.clockSkew ?? 0;
    const way = skew > 0 ? "ahead of" : "behind";
    problems.push({ severity: "warning", text: `feed ${feed}: its clock is ${duration(Math.abs(skew))} ${way} ours` });
  }
  if (heard && heard.silent > 0) {
    const all = heard.silent === heard.shards.length;
    const where = all ? "" : ` on ${heard.silent} of ${heard.shards.length} shards`;
    const since = all && heard.lastBatch !== null ? ` for ${duration(heard.lastBatch)}` : "";
    problems.push({ severity: "critical", text: `feed ${feed}: nothing heard${where}${since}` });
  } else if (heard && heard.stale > 0)
    problems.push({
      severity: "warning",
      text: `feed ${feed}: ${whole(heard.stale)} of ${whole(heard.symbols)} symbols are stale`,
    });
  return problems;
}

function gatewayProblems(gateway: GatewayReport): string[] {
  const { clients, conflating, connections, connectionsLimit, rates, lag } = gateway;
  const problems: string[] = [];
  const slow = clients.filter(({ why }) => why.startsWith("client"));
  const count = Math.max(slow.length, conflating.client);
  if (count > 0) {
    const [worst] = slow;
    const who = worst ? `${count === 1 ? "" : "; the slowest is "}${named(worst)}, ` : "";
    const how = worst ? `${duration(worst.behind)} behind: ${worst.why.replace(/^client: /, "")}` : "";
    problems.push(`${count === 1 ? "a client is slow: " : `${whole(count)} clients are slow`}${who}${how}`);
  }
  if (conflating.server > 0 || lag > LATE)
    problems.push(`turns are ${duration(lag)} late: ${whole(conflating.server)} connections get less for it`);
  if (connections >= connectionsLimit * SCARCE)
    problems.push(`${whole(connections)} of at most ${whole(connectionsLimit)} connections are taken`);
  if (rates.refused > 0) problems.push(`${amount(rates.refused)} connections a second are refused`);
  return problems;
}

/** A client's address and user agent. */
function named({ address, agent }: ClientReport): string {
  const text = agent.trim();
  return text === "" ? address : `${address} (${text})`;
}

function saturation({ process, gateway }: NodeReport): string {
  const waiting = gateway && gateway.waiting > 0 ? `; ${whole(gateway.waiting)} turns wait` : "";
  return `saturated: the event loop is busy ${percent(process.loop)} of the time${waiting}`;
}
