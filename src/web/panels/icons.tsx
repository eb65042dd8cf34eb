/** The page's icons: lines of one weight, in the colour of the text. */
const PATHS = {
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.8 10.8 14 14",
  filter: "M2 3.5h12M4.5 8h7M7 12.5h2",
  share: "M8 10V2M5 4.5 8 1.8l3 2.7M4 7H2.5v7h11V7H12",
  auto: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 2v12M8 5h4.9M8 8h6M8 11h4.9",
  dark: "M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7z",
  light:
    "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1.1 1.1M11.9 11.9 13 13M13 3l-1.1 1.1M4.1 11.9 3 13",
  help: "M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM6.2 6.2A1.9 1.9 0 1 1 8.7 8c-.5.2-.7.6-.7 1.1v.3M8 11.6v.1",
  key: "M5.5 13a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM7.7 7.9 13.5 2M11 4.5l2 2",
  close: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  trash: "M2.5 4h11M6 4V2.5h4V4M4 4l.7 9.5h6.6L12 4M6.7 6.7v4M9.3 6.7v4",
  up: "M8 13V3M4 7l4-4 4 4",
  down: "M8 3v10M4 9l4 4 4-4",
  more: "M4 10l4-4 4 4",
  less: "M4 6l4 4 4-4",
} as const;

export type IconName = keyof typeof PATHS | "logo";

export function Icon({ name }: { name: IconName }) {
  if (name === "logo")
    return (
      <svg class="icon logo" viewBox="0 0 32 32" aria-hidden="true">
        <rect class="logo-back" width="32" height="32" rx="7" />
        <path class="logo-line" d="M5 21l6-7 5 4 10-11" />
        <circle class="logo-dot" cx="26" cy="7" r="2.8" />
        <path class="logo-base" d="M6 26.5h20" />
      </svg>
    );
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
