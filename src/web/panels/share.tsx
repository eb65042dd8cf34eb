/** The dialog with a link to the list, and the bar above a list that was opened by a link. */
import { useRef, useState } from "preact/hooks";
import type { Page } from "../page/page.ts";
import { Dialog } from "./dialog.tsx";
import { useCell } from "./hooks.ts";

export function SharedBar({ page }: { page: Page }) {
  const isShared = useCell(page.isShared);
  if (!isShared) return null;
  return (
    <div class="banner plain">
      <p>This list is from a link. Your own list is unchanged.</p>
      <button type="button" onClick={() => page.keepShared()}>
        Keep this one
      </button>
      <button type="button" onClick={() => page.leaveShared()}>
        Back to mine
      </button>
    </div>
  );
}

export function ShareDialog({ page, onClose }: { page: Page; onClose: () => void }) {
  const field = useRef<HTMLInputElement>(null);
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    field.current?.select();
    try {
      // Works only over TLS or from localhost.
      await navigator.clipboard.writeText(page.link);
      setCopied(true);
    } catch {
      // The link is selected, so the user can copy it.
    }
  };
  return (
    <Dialog title="Share this list" onClose={onClose}>
      <p>This link shows these symbols and patterns, live.</p>
      <div class="copy">
        <input
          ref={field}
          type="text"
          readOnly
          value={page.link}
          aria-label="Link"
          onFocus={() => field.current?.select()}
        />
        <button type="button" onClick={() => void copy()}>
          {isCopied ? "Copied" : "Copy"}
        </button>
      </div>
    </Dialog>
  );
}
