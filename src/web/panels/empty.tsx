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
        <p>{phase === "live" ? "They appear when a feed has sent a tick." : "Prices appear when it is connected."}</p>
      </div>
    );
  return (
    <div class="empty">
      <h2>The watchlist is empty</h2>
      <p>
        Press <kbd>/</kbd> and type a symbol, or a pattern such as <kbd>SIM:*</kbd> for all symbols that begin with
        SIM:.
      </p>
      <button type="button" onClick={() => void page.begin()}>
        Add the first symbols
      </button>
    </div>
  );
}

function clearFilter(page: Page): void {
  page.filter.value = "";
  page.grid.focus();
}
