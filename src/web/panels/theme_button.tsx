/** The button for the theme: dark, light, or that of the system. */
import { useEffect } from "preact/hooks";
import type { Page } from "../page/page.ts";
import { THEMES, type Theme } from "../state/keep.ts";
import { readPalette } from "../state/palette.ts";
import { useCell } from "./hooks.ts";
import { Icon } from "./icons.tsx";

const TITLES: Readonly<Record<Theme, string>> = { auto: "as the system has it", dark: "dark", light: "light" };

export function ThemeButton({ page }: { page: Page }) {
  const { theme } = useCell(page.preferences);
  useEffect(() => {
    const system = matchMedia("(prefers-color-scheme: dark)");
    const apply = () => {
      const isDark = theme === "dark" || (theme === "auto" && system.matches);
      document.documentElement.dataset.theme = isDark ? "dark" : "light";
      page.palette.value = readPalette();
    };
    apply();
    system.addEventListener("change", apply);
    return () => system.removeEventListener("change", apply);
  }, [theme]);
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  return (
    <button
      type="button"
      class="tool"
      onClick={() => page.setPreferences({ theme: next })}
      title={`Theme: ${TITLES[theme]}`}
      aria-label={`Theme: ${TITLES[theme]}. Change to ${TITLES[next]}`}
    >
      <Icon name={theme} />
    </button>
  );
}
