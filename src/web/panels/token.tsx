/** The dialog for the token of this tab, and the button that opens it. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Page } from "../page/page.ts";
import { tokenIn } from "../state/token.ts";
import { Dialog } from "./dialog.tsx";
import { useCell } from "./hooks.ts";
import { Icon } from "./icons.tsx";

/** Not where the gateway reads no tokens. */
export function TokenButton({ page, onClick }: { page: Page; onClick: () => void }) {
  const { auth } = useCell(page.market.access);
  if (auth === "none" && page.market.token === undefined) return null;
  return (
    <button type="button" class="tool" onClick={onClick} aria-label="Token">
      <Icon name="key" />
    </button>
  );
}

export function TokenDialog({ page, onClose }: { page: Page; onClose: () => void }) {
  const { problem } = useCell(page.market.access);
  const field = useRef<HTMLInputElement>(null);
  const [error, setError] = useState("");
  const hasToken = page.market.token !== undefined;
  // The button to close is before it.
  useEffect(() => field.current?.focus(), []);
  const use = (event: Event) => {
    event.preventDefault();
    const token = tokenIn(field.current?.value ?? "");
    if (token === undefined) setError("This is not a token: it has three parts with points between them.");
    else if (!page.useToken(token)) setError("This browser does not let the page store a token.");
    else return;
    field.current?.focus();
  };
  return (
    <Dialog title="Token" onClose={onClose}>
      {problem !== undefined && <p>The gateway shows nothing: {problem}.</p>}
      <form onSubmit={use}>
        <label for="token">Token for this gateway</label>
        <div class="copy">
          <input
            ref={field}
            id="token"
            type="password"
            autocomplete="off"
            spellcheck={false}
            aria-invalid={error !== ""}
            aria-describedby="token-hint token-error"
          />
          <button type="submit">Use it</button>
        </div>
        <p class="error" id="token-error" role="alert">
          {error}
        </p>
        <p class="hint" id="token-hint">
          It stays in this tab until you close it. It is never in the address, and not in shared links.
        </p>
      </form>
      {hasToken && (
        <button type="button" onClick={() => page.useToken(undefined)}>
          Forget the present token
        </button>
      )}
    </Dialog>
  );
}
