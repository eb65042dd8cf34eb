/** A note at the edge of the page: what was done, with an action such as undo. */

import type { Page } from "../page/page.ts";
import { useCell } from "./hooks.ts";
import { Icon } from "./icons.tsx";

export function Toast({ page }: { page: Page }) {
  const note = useCell(page.note);
  if (!note) return null;
  return (
    <div class="toast">
      <span>{note.text}</span>
      {note.action && (
        <button type="button" onClick={note.action.run}>
          {note.action.title}
        </button>
      )}
      <button type="button" class="tool" onClick={() => page.closeNote()} aria-label="Close this note">
        <Icon name="close" />
      </button>
    </div>
  );
}
