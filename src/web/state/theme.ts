/**
 * Runs before the first paint, so that a dark page is never light for a moment. A classic script: it
 * imports nothing, and the names are those of keep.ts.
 */
let theme: unknown;
try {
  theme = (JSON.parse(localStorage.getItem("tickgate.view") ?? "{}") as { theme?: unknown }).theme;
} catch {
  // Nothing valid is stored, or storage is forbidden: the theme of the system applies.
}
const isDark = theme === "dark" || (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
document.documentElement.dataset.theme = isDark ? "dark" : "light";

export {};
