/** The layout of the page. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Page } from "./page/page.ts";
import { Banner, LinkAnnouncer } from "./panels/banner.tsx";
import { EmptyList } from "./panels/empty.tsx";
import { SHEET, useCell, useMedia } from "./panels/hooks.ts";
import { Icon } from "./panels/icons.tsx";
import { KeysDialog } from "./panels/keys.tsx";
import { Panel } from "./panels/panel.tsx";
import { Search } from "./panels/search.tsx";
import { ShareDialog, SharedBar } from "./panels/share.tsx";
import { Strip } from "./panels/strip.tsx";
import { ThemeButton } from "./panels/theme_button.tsx";
import { Toast } from "./panels/toast.tsx";
import { TokenButton, TokenDialog } from "./panels/token.tsx";

export function App({ page }: { page: Page }) {
  const [dialog, setDialog] = useState<"keys" | "share" | "token" | undefined>();
  const opened = useCell(page.opened);
  const isCovered = useMedia(SHEET) && opened !== undefined;
  const closeDialog = () => setDialog(undefined);
  const openToken = () => setDialog("token");
  const { problem } = useCell(page.market.access);
  useEffect(() => {
    if (problem !== undefined) openToken();
  }, [problem]);

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || dialog) return;
      const isWriting = (event.target as HTMLElement).closest("input:not([type=radio])") !== null;
      if (event.key === "Escape" && !isWriting && page.opened.value !== undefined) page.close();
      else if (isWriting) return;
      else if (event.key === "/") focusOn("search");
      else if (event.key === "f") focusOn("filter");
      else if (event.key === "?") setDialog("keys");
      else return;
      event.preventDefault();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [dialog]);

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: what is not covered by the sheet closes it; the keyboard has Escape
    // biome-ignore lint/a11y/useKeyWithClickEvents: as above
    <div
      class="page"
      data-opened={opened !== undefined}
      onClick={(event) => {
        if (isCovered && event.target === event.currentTarget) page.close();
      }}
    >
      <header class="top" inert={isCovered}>
        <h1 class="brand">
          <Icon name="logo" />
          <span>Tickgate</span>
        </h1>
        <Search page={page} />
        <Filter page={page} />
        <nav class="tools" aria-label="Page">
          <button type="button" class="tool" onClick={() => setDialog("share")} aria-label="Share this list">
            <Icon name="share" />
          </button>
          <TokenButton page={page} onClick={openToken} />
          <ThemeButton page={page} />
          <button type="button" class="tool" onClick={() => setDialog("keys")} aria-label="Keys and help">
            <Icon name="help" />
          </button>
        </nav>
      </header>
      <Banner page={page} onToken={openToken} />
      <SharedBar page={page} />
      <main class="body">
        <div class="list" inert={isCovered}>
          <GridBox page={page} />
          <EmptyList page={page} />
        </div>
        {opened !== undefined && <Panel page={page} symbol={opened} />}
      </main>
      <Strip page={page} isCovered={isCovered} />
      <Toast page={page} />
      <LinkAnnouncer page={page} />
      {dialog === "keys" && <KeysDialog onClose={closeDialog} />}
      {dialog === "token" && <TokenDialog page={page} onClose={closeDialog} />}
      {dialog === "share" && <ShareDialog page={page} onClose={closeDialog} />}
    </div>
  );
}

/** Holds the element of the grid, which paints itself. */
function GridBox({ page }: { page: Page }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    box.current?.append(page.grid.element);
    page.grid.start();
    return () => page.grid.stop();
  }, [page]);
  return <div class="grid-box" ref={box} />;
}

function Filter({ page }: { page: Page }) {
  const filter = useCell(page.filter);
  return (
    <label class="field filter">
      <Icon name="filter" />
      <span class="sr">Filter the rows</span>
      <input
        id="filter"
        type="search"
        placeholder="Filter"
        autocomplete="off"
        spellcheck={false}
        value={filter}
        onInput={(event) => {
          page.filter.value = event.currentTarget.value;
        }}
        onKeyDown={(event) => {
          if (event.key === "Escape") page.filter.value = "";
          else if (event.key !== "Enter" && event.key !== "ArrowDown") return;
          event.preventDefault();
          page.grid.focus();
        }}
      />
    </label>
  );
}

function focusOn(id: string): void {
  const field = document.getElementById(id);
  if (!(field instanceof HTMLInputElement)) return;
  field.focus();
  field.select();
}
