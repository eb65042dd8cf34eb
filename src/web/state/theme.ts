/**
 * Runs before anything is painted, so that a page that is to be dark is not light for a moment. A classic script: it
 * imports nothing, and the names are those of keep.ts.
 */
let theme: unknown;
try {
  theme = (JSON.parse(localStorage.getItem("tickgate.view") ?? "{}") as { theme?: unknown }).theme;
} catch {
  // Nothing is kept, or nothing may be: the system's choice holds.
}
const isDark = theme === "dark" || (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
document.documentElement.dataset.theme = isDark ? "dark" : "light";

export {};
