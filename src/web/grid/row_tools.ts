/** The tools for a row under the mouse: a drag handle and a remove button. One pair, moved from row to row. */

/** Moves the tools to the row under the mouse. @param canvas holds the rows */
export function followMouse(canvas: HTMLElement): void {
  const handle = tool("handle", "⠿");
  const remove = tool("remove", "×");
  remove.title = "Remove (Delete)";
  handle.title = "Drag to move (Alt ↑ ↓)";
  canvas.addEventListener("pointerover", ({ target, pointerType }) => {
    if (pointerType === "touch") return;
    const cell = (target as HTMLElement).closest(".row")?.querySelector(".symbol, .group > .cell");
    if (cell && handle.parentElement !== cell) cell.append(handle, remove);
  });
  canvas.addEventListener("pointerleave", () => {
    handle.remove();
    remove.remove();
  });
}

/** Hidden from screen readers: the keyboard has its own commands. */
function tool(name: string, text: string): HTMLElement {
  const element = document.createElement("span");
  element.className = name;
  element.textContent = text;
  element.setAttribute("aria-hidden", "true");
  return element;
}
