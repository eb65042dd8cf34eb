/** What the mouse has for a row: a handle to drag it by, and a cross to remove it. One pair, in the row under the mouse. */

/** Follows the mouse over the rows. @param canvas holds them */
export function followMouse(canvas: HTMLElement): void {
  const handle = sign("handle", "⠿");
  const remove = sign("remove", "×");
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

/** The keyboard has its own ways: this is not read out. */
function sign(name: string, text: string): HTMLElement {
  const element = document.createElement("span");
  element.className = name;
  element.textContent = text;
  element.setAttribute("aria-hidden", "true");
  return element;
}
