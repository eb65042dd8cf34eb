/** The colours of the theme for drawing on a canvas, read from the style sheet. */
export interface Palette {
  readonly up: string;
  readonly down: string;
  readonly text: string;
  readonly dim: string;
  readonly line: string;
  readonly accent: string;
  readonly surface: string;
  readonly warn: string;
}

export function readPalette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return {
    up: colour("up"),
    down: colour("down"),
    text: colour("text"),
    dim: colour("dim"),
    line: colour("line"),
    accent: colour("accent"),
    surface: colour("surface"),
    warn: colour("warn"),
  };
}
