/** The text in place of rows when there are none: the reason, and an action. */
import type { Page } from "../page/page.ts";
import { useCell } from "./hooks.ts";

export function EmptyList({ page }: { page: Page }) {
  const rows = useCell(page.rows);
  const filter = useCell(page.filter);
  const isFirstVisit = useCell(page.isFirstVisit);
  const { phase } = useCell(page.market.link);
  if (rows.length > 0) return null;
  if (filter.trim() !== "")
    return (
      <div class="empty">
        <h2>No row has “{filter.trim().toUpperCase()}” in its symbol</h2>
        <button type="button" onClick={() => clearFilter(page)}>
          Show all rows
        </button>
      </div>
    );
  if (isFirstVisit)
    return (
      <div class="empty">
        <h2>{phase === "live" ? "This gateway has no symbols yet" : "Waiting for the gateway"}</h2>
        <p>
          {phase === "live" ? "They are here as soon as a feed has sent a tick." : "The first prices are on their way."}
        </p>
      </div>
    );
  return (
    <div class="empty">
      <h2>Nothing is watched</h2>
      <p>
        Press <kbd>/</kbd> and type a symbol, or a pattern such as <kbd>SIM:*</kbd> for all that begin so.
      </p>
      <button type="button" onClick={() => void page.begin()}>
        Begin with the first symbols
      </button>
    </div>
  );
}

function clearFilter(page: Page): void {
  page.filter.value = "";
  page.grid.focus();
}
