/** The picture: three bars for each peer of a scenario, as SVG for light and dark pages. */
import { age, short } from "./numbers.ts";
import type { Row } from "./results.ts";

/** What a bar shows. Values from milliseconds to seconds need a logarithmic scale. */
interface Panel {
  readonly title: string;
  readonly value: (row: Row) => number;
  readonly text: (value: number) => string;
  readonly isLogarithmic: boolean;
}

const PANELS: readonly Panel[] = [
  { title: "fresh updates/s", value: (row) => row.median("fresh"), text: short, isLogarithmic: false },
  {
    title: "server CPU s per million fresh updates",
    value: (row) => row.median("cpuPerMillion"),
    text: short,
    isLogarithmic: true,
  },
  {
    title: "age p99 of healthy clients, ms",
    value: (row) => row.median("p99"),
    text: (value) => age(value),
    isLogarithmic: true,
  },
];

const WIDTH = 1_000;
const NAMES = 150;
const GAP = 24;
const LINE = 26;
const BAR = 16;
const HEAD = 76;
const MARGIN = 12;
/** Space for the number after the longest bar. */
const NUMBER = 66;
/** The shortest bar of a logarithmic scale, as a share. */
const LEAST = 0.04;

const STYLE = `
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 15px }
.page { fill: #ffffff }
.panel { fill: #57606a }
.bar { fill: #8c959f }
.own { fill: #0969da }
.none { fill: #cf222e }
@media (prefers-color-scheme: dark) {
.page { fill: #0d1117 }
text { fill: #e6edf3 }
.panel { fill: #9198a1 }
.bar { fill: #6e7681 }
.own { fill: #4493f8 }
.none { fill: #f85149 }
}
`;

/** A block of the picture: a scenario. */
export interface Block {
  readonly title: string;
  readonly subtitle: string;
  readonly rows: readonly Row[];
}

/** The whole picture. */
export function chart(blocks: readonly Block[]): string {
  const heights = blocks.map(({ rows }) => HEAD + rows.length * LINE + GAP);
  const sum = (some: readonly number[]) => some.reduce((total, one) => total + one, 0);
  const [width, height] = [WIDTH + 2 * MARGIN, sum(heights) + MARGIN];
  const tops = heights.map((_, index) => sum(heights.slice(0, index)));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${-MARGIN} 0 ${width} ${height}" role="img">`,
    `<title>${escaped(blocks.map(({ title }) => title).join("; "))}</title>`,
    `<style>${STYLE}</style>`,
    // Its own background: the page may be dark where the system is light, or the reverse.
    `<rect class="page" x="${-MARGIN}" width="${width}" height="${height}"/>`,
    ...blocks.flatMap((block, index) => drawBlock(block, tops[index])),
    "</svg>",
    "",
  ].join("\n");
}

function drawBlock({ title, subtitle, rows }: Block, top: number): string[] {
  const width = (WIDTH - NAMES - PANELS.length * GAP) / PANELS.length;
  const y = (row: number) => top + HEAD + row * LINE;
  return [
    `<text class="title" x="0" y="${top + 22}">${escaped(title)}</text>`,
    `<text class="panel" x="0" y="${top + 40}">${escaped(subtitle)}</text>`,
    ...rows.map(({ peer }, row) => `<text x="0" y="${y(row) + BAR - 3}">${escaped(peer.title)}</text>`),
    ...PANELS.flatMap((panel, index) => {
      const x = NAMES + GAP + index * (width + GAP);
      return drawPanel(panel, rows, { x, width, head: top + 64, y });
    }),
  ];
}

interface PanelLayout {
  readonly x: number;
  readonly width: number;
  readonly head: number;
  y(row: number): number;
}

function drawPanel(panel: Panel, rows: readonly Row[], { x, width, head, y }: PanelLayout): string[] {
  const length = scale(rows.map(panel.value), panel.isLogarithmic);
  return [
    `<text class="panel" x="${x}" y="${head}">${escaped(panel.title)}${panel.isLogarithmic ? " (log)" : ""}</text>`,
    ...rows.flatMap((row, index) => {
      const value = panel.value(row);
      const at = y(index);
      if (!Number.isFinite(value)) return [`<text class="none" x="${x}" y="${at + BAR - 3}">none fresh</text>`];
      const long = round(length(value) * (width - NUMBER));
      const kind = row.peer.name.startsWith("tickgate") ? "own" : "bar";
      return [
        `<rect class="${kind}" x="${round(x)}" y="${at}" width="${long}" height="${BAR}" rx="2"/>`,
        `<text x="${round(x + long + 5)}" y="${at + BAR - 3}">${escaped(panel.text(value))}</text>`,
      ];
    }),
  ];
}

/** From values to lengths, 0 to 1. */
function scale(values: readonly number[], isLogarithmic: boolean): (value: number) => number {
  const finite = values.filter((value) => Number.isFinite(value) && value > 0);
  const most = Math.max(...finite, 0);
  if (!isLogarithmic) return (value) => (most > 0 ? value / most : 0);
  const least = Math.min(...finite, most) / 2;
  const span = Math.log(most / least) || 1;
  return (value) => (value > 0 ? Math.max(LEAST, Math.log(value / least) / span) : 0);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
