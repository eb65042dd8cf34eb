/** The banner about the connection: when prices may be old, and when they are live again. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Page } from "../page/page.ts";
import { clockText, spanText } from "../state/duration.ts";
import { latenessText } from "../state/lateness.ts";
import { isGiven, isRestart, type LinkState } from "../state/market.ts";
import { useCell, useNow } from "./hooks.ts";

/** How long the banner says that the connection is live again, ms. */
const BACK_TIME = 5_000;
/** The banner appears if the first connection takes longer than this, ms. */
const PATIENCE = 800;

export function Banner({ page, onToken }: { page: Page; onToken: () => void }) {
  const link = useCell(page.market.link);
  const { problem } = useCell(page.market.access);
  const back = useBack(link);
  const isDown = link.phase !== "live";
  const now = useNow(isDown);

  if (!isDown) return back === undefined ? null : <p class="banner good">Live again, after {spanText(back)}.</p>;
  if (link.phase === "connecting" && now - link.since < PATIENCE) return null;
  const seconds = link.retryAt === undefined ? 0 : Math.max(0, Math.ceil((link.retryAt - now) / 1_000));
  return (
    <div class={`banner ${link.phase === "refused" ? "bad" : "warn"}`}>
      <p>
        <strong>{titleOf(link)}</strong> <span>{textOf(link, now)}</span>{" "}
        {link.phase !== "refused" && link.phase !== "silent" && (
          <span class="retry">{seconds > 0 ? `Trying again in ${seconds} s.` : "Trying again now…"}</span>
        )}
      </p>
      {problem !== undefined ? (
        <button type="button" onClick={onToken}>
          Enter a token
        </button>
      ) : link.phase === "refused" ? (
        <button type="button" onClick={() => location.reload()}>
          Reload
        </button>
      ) : (
        link.phase !== "silent" && (
          <button type="button" onClick={() => page.market.retry()} disabled={seconds === 0}>
            Try now
          </button>
        )
      )}
    </div>
  );
}

/** Announces the state of the connection and the last action to screen readers; never prices. */
export function LinkAnnouncer({ page }: { page: Page }) {
  const link = useCell(page.market.link);
  const said = useCell(page.announced);
  const late = latenessText(useCell(page.market.lateness));
  const back = useBack(link);
  const now = Date.now();
  const state =
    link.phase === "live"
      ? back === undefined
        ? ""
        : `Live again, after ${spanText(back)}.`
      : link.phase === "connecting"
        ? ""
        : `${titleOf(link)} ${textOf(link, now)}`;
  return (
    <div class="sr">
      <p role="status" id="connection-said">
        {state}
      </p>
      <p role="status" id="delay-said">
        {late && `${late}.`}
      </p>
      <p role="status" id="action-said">
        {said}
      </p>
    </div>
  );
}

/** How long the connection was lost, ms, for a while after it is live again. */
function useBack(link: LinkState): number | undefined {
  const before = useRef(link);
  const [back, setBack] = useState<number | undefined>();
  useEffect(() => {
    const last = before.current;
    before.current = link;
    if (link.phase !== "live" || (last.phase !== "lost" && last.phase !== "silent")) return;
    setBack(link.since - last.since);
    const timer = setTimeout(() => setBack(undefined), BACK_TIME);
    return () => {
      clearTimeout(timer);
      setBack(undefined);
    };
  }, [link]);
  return back;
}

function titleOf({ phase, reason }: LinkState): string {
  switch (phase) {
    case "silent":
      return "The gateway does not answer.";
    case "refused":
      return "The gateway has refused this page.";
    case "connecting":
      return "Connecting to the gateway.";
    default:
      if (isRestart(reason)) return "The gateway is restarting.";
      return isGiven(reason) ? "The gateway has closed the connection." : "Connection lost.";
  }
}

function textOf({ phase, since, reason }: LinkState, now: number): string {
  switch (phase) {
    case "silent":
      return `Nothing heard for ${spanText(now - since)}: prices are from ${clockText(since, now)} and may be old.`;
    case "refused":
      return `Reason: ${reason}.`;
    case "connecting":
      return reason ? "It does not answer yet." : "";
    default: {
      const why = isGiven(reason) && !isRestart(reason) ? `Reason: ${reason}. ` : "";
      return `${why}Prices are from ${clockText(since, now)}, ${spanText(now - since)} old.`;
    }
  }
}
