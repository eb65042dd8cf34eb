/** Finds the slowest connections, and describes what is wrong with each. */

import type { OutboundConnection } from "../../gateway/outbound/outbound_connection.ts";
import type { Session } from "../../gateway/session/session.ts";
import { bytes, duration } from "./format.ts";
import type { ClientReport } from "./report.ts";

/** Connections per slice, before sockets and the bus are served again: well under a millisecond. */
const SLICE = 1_000;
/** A connection that is behind by at most this, ms, has no problem. */
const SMALL_DELAY = 100;
/** After so long, ms, a ping counts as not answered. */
const UNANSWERED = 1_000;
/** A round trip of at least this multiple of the bare one is long because the client reads queued data slowly. */
const QUEUED_TRIPS = 2;

/** The part of a session that is read here. */
export type InspectedSession = Pick<Session, "id" | "address" | "agent" | "openedAt" | "symbols" | "interval"> & {
  readonly outbound: Pick<
    OutboundConnection,
    "behind" | "held" | "age" | "ticks" | "conflated" | "conflating" | "isClosed"
  > & {
    readonly window: Pick<
      OutboundConnection["window"],
      "size" | "inFlight" | "lastTrip" | "pace" | "roundTrip" | "unansweredSince"
    >;
  };
};

/** A session and how far it was behind when it was read, ms. */
interface RankedSession {
  readonly session: InspectedSession;
  readonly behind: number;
}

/**
 * Ten thousand connections take a few milliseconds, in slices; connections that open or close meanwhile may be missing.
 * @param count the number of results; the slowest is first
 * @param now returns milliseconds of the clock
 */
export async function slowestClients(
  sessions: Iterable<InspectedSession>,
  count: number,
  now: () => number,
): Promise<ClientReport[]> {
  const slowest: RankedSession[] = [];
  let looked = 0;
  let time = now();
  for (const session of sessions) {
    insertRanked(slowest, { session, behind: session.outbound.behind(time) }, count);
    if (++looked % SLICE > 0) continue;
    await new Promise((resolve) => setImmediate(resolve));
    time = now();
  }
  const open = slowest.filter(({ session }) => !session.outbound.isClosed);
  return open.map(({ session }) => reportClient(session, time));
}

/** Inserts a session into the slowest so far, if it is slower than one of them. */
function insertRanked(slowest: RankedSession[], place: RankedSession, count: number): void {
  if (slowest.length === count) {
    if (count === 0 || place.behind <= slowest[count - 1].behind) return;
    slowest.pop();
  }
  let at = slowest.length;
  while (at > 0 && slowest[at - 1].behind < place.behind) at--;
  slowest.splice(at, 0, place);
}

/** The report of one connection. */
export function reportClient(session: InspectedSession, now: number): ClientReport {
  const { outbound } = session;
  const { window, conflating } = outbound;
  const { interval } = session;
  const { size, inFlight, lastTrip, pace, unansweredSince } = window;
  const bare = Number.isFinite(window.roundTrip) ? window.roundTrip : null;
  const unanswered = unansweredSince === undefined ? null : now - unansweredSince;
  const isQueued = bare !== null && lastTrip >= bare * QUEUED_TRIPS && lastTrip > 0;
  const report = {
    session: session.id,
    address: session.address,
    agent: session.agent,
    connectedFor: now - session.openedAt,
    symbols: session.symbols,
    interval: Number.isFinite(interval) ? interval : null,
    behind: outbound.behind(now),
    age: known(outbound.age),
    roundTrip: bare === null ? null : lastTrip,
    bareRoundTrip: bare,
    unanswered,
    held: outbound.held(now),
    window: size,
    inFlight,
    ticks: outbound.ticks,
    conflated: outbound.conflated,
    reads: isQueued && pace > 0 ? pace : null,
    conflating: conflating ?? null,
  };
  return { ...report, why: why(report) };
}

/** Unknown values are NaN in the counters and null in the report. */
function known(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}

/** What is wrong with a connection, in words for the operator; empty when nothing is. */
export function why(client: Omit<ClientReport, "why">): string {
  const { unanswered, roundTrip, bareRoundTrip, behind, conflating, reads, held } = client;
  if (unanswered !== null && unanswered > UNANSWERED + (bareRoundTrip ?? 0))
    return `client: has not answered for ${duration(unanswered)}`;
  if (conflating === "server") return "server: this node is late";
  if (conflating === null && behind < SMALL_DELAY) return "";
  if (reads !== null && roundTrip !== null && bareRoundTrip !== null)
    return `client: reads ${bytes(reads)}/s; what is sent takes ${duration(roundTrip)} instead of ${duration(bareRoundTrip)}`;
  if (conflating === "client") return "client: reads too slowly";
  return held > SMALL_DELAY ? `client: its window has been full for ${duration(held)}` : "client: a slow answer";
}
