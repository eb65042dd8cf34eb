/** The search box for symbols and patterns to add: an ARIA combobox. */

import { useEffect, useState } from "preact/hooks";
import { SYMBOL_CHARACTERS } from "../../base/tick.ts";
import type { Page } from "../page/page.ts";
import { type Suggestion, suggest } from "../state/directory.ts";
import { loadSymbols } from "../state/symbols.ts";
import { ownerOf } from "../state/watchlist.ts";
import { useCell } from "./hooks.ts";
import { Icon } from "./icons.tsx";

export function Search({ page }: { page: Page }) {
  const [text, setText] = useState("");
  const [symbols, setSymbols] = useState<readonly string[]>([]);
  const [isUnknown, setUnknown] = useState(false);
  const [isOpen, setOpen] = useState(false);
  const [active, setActive] = useState(0);
  const suggestions = isOpen ? suggest(text, symbols) : [];
  const isShown = isOpen && text.trim() !== "";

  const load = () => {
    loadSymbols(page.market.token).then(
      (known) => {
        setSymbols(known);
        setUnknown(false);
      },
      () => setUnknown(true),
    );
  };
  useEffect(() => {
    document.getElementById(optionId(active))?.scrollIntoView({ block: "nearest" });
  }, [active]);

  const choose = (suggestion: Suggestion | undefined) => {
    if (!suggestion) return;
    setText("");
    setOpen(false);
    page.add(suggestion.texts);
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === "Enter") choose(suggestions[active]);
    else if (event.key === "Escape") {
      if (isShown) setOpen(false);
      else {
        setText("");
        page.grid.focus();
      }
    } else if (event.key === "ArrowDown") {
      if (!isShown) page.grid.focus();
      else setActive(Math.min(active + 1, suggestions.length - 1));
    } else if (event.key === "ArrowUp" && isShown) setActive(Math.max(active - 1, 0));
    else return;
    event.preventDefault();
  };

  return (
    <div class="search">
      <label class="field">
        <Icon name="search" />
        <span class="sr">Search for symbols to add</span>
        <input
          id="search"
          type="text"
          role="combobox"
          aria-expanded={isShown}
          aria-controls="suggestions"
          aria-autocomplete="list"
          aria-activedescendant={isShown && suggestions.length > 0 ? optionId(active) : undefined}
          placeholder="Add symbols or SIM:*"
          autocomplete="off"
          autocapitalize="characters"
          spellcheck={false}
          value={text}
          onFocus={load}
          onBlur={() => setOpen(false)}
          onInput={(event) => {
            setText(event.currentTarget.value);
            setOpen(true);
            setActive(0);
            load();
          }}
          onKeyDown={onKey}
        />
        <span class="key" aria-hidden="true">
          /
        </span>
      </label>
      <div class="suggestions" hidden={!isShown}>
        <div role="listbox" id="suggestions" aria-label="Symbols to add">
          {isShown &&
            suggestions.map((suggestion, index) => (
              <Option
                key={suggestion.title}
                page={page}
                suggestion={suggestion}
                index={index}
                isActive={index === active}
                onChoose={choose}
              />
            ))}
        </div>
        {suggestions.length === 0 && (
          <p class="nothing">
            {isUnknown
              ? "The symbols of the gateway cannot be loaded: type a whole symbol."
              : `No match. A symbol consists of ${SYMBOL_CHARACTERS}`}
          </p>
        )}
      </div>
    </div>
  );
}

interface OptionProps {
  readonly page: Page;
  readonly suggestion: Suggestion;
  readonly index: number;
  readonly isActive: boolean;
  readonly onChoose: (suggestion: Suggestion) => void;
}

function Option({ page, suggestion, index, isActive, onChoose }: OptionProps) {
  const list = useCell(page.list);
  const [text] = suggestion.texts;
  const isThere = suggestion.texts.length === 1 && (ownerOf(list, text) ?? false) !== false;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the keyboard stays in the text field, which has the keys
    <div
      role="option"
      id={optionId(index)}
      class="option"
      aria-selected={isActive}
      tabIndex={-1}
      // The text field must not lose the focus before the click.
      onMouseDown={(event) => event.preventDefault()}
      onClick={() => onChoose(suggestion)}
    >
      <span>{suggestion.title}</span>
      <span class="hint">{isThere ? "on the list" : suggestion.hint}</span>
    </div>
  );
}

function optionId(index: number): string {
  return `option-${index}`;
}
