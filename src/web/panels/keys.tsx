/** The help dialog: keys, signs, and credits. */
import { Dialog } from "./dialog.tsx";

const KEYS: readonly (readonly [string, string])[] = [
  ["/", "search for symbols to add"],
  ["f", "filter the rows"],
  ["↑ ↓ ← →", "move in the grid; also Home, End, Page Up, Page Down"],
  ["Enter", "open the chart of a row, fold a pattern, sort by a column"],
  ["Delete", "take a row off the list"],
  ["Alt ↑ ↓", "move a row"],
  ["Esc", "close the chart"],
  ["?", "this page"],
];

const SIGNS: readonly (readonly [string, string])[] = [
  ["▲ ▼", "beside a price: the direction of its last change; beside a percentage: above or below the open"],
  ["stale 12 s", "the row's feed, or the connection, has been silent for so long: the price is old"],
  ["edge", "a price that goes up lights up at its upper edge, one that goes down at its lower edge"],
];

export function KeysDialog({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keys and signs" onClose={onClose}>
      <dl class="keys">
        {KEYS.map(([key, text]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      <h3>Signs</h3>
      <dl class="keys">
        {SIGNS.map(([sign, text]) => (
          <div key={sign}>
            <dt>{sign}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      <p class="credits">
        Charts: TradingView Lightweight Charts™, Copyright © 2025 TradingView, Inc.{" "}
        <a href="https://www.tradingview.com/" rel="noreferrer" target="_blank">
          www.tradingview.com
        </a>
        . <a href="/licenses.txt">Licences of what is used here</a>.
      </p>
    </Dialog>
  );
}
