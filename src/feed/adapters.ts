/** The list of all feed adapters: add a new one here. */
import { CHANNELS, type Channel } from "../protocol/messages.ts";
import { text } from "../settings/option.ts";
import type { Adapter, FeedOptions } from "./adapter.ts";
import { ndjson } from "./ndjson/ndjson.ts";
import { sim } from "./sim/sim.ts";
import { binance } from "./venue/binance.ts";
import { coinbase } from "./venue/coinbase.ts";

export const ADAPTERS: readonly Adapter[] = [sim, ndjson, coinbase, binance];

const QUOTES: ReadonlySet<Channel> = new Set(["quote"]);

/** The options of every adapter. */
export const SHARED_OPTIONS: FeedOptions = {
  name: {
    kind: text("NAME", "1 to 64 letters, digits, dots, dashes or underscores", /^[\w.-]{1,64}$/),
    default: "",
    help: "The name of the feed in the log, the metrics and on the bus; its adapter's name unless given",
  },
  channels: {
    kind: { arg: "LIST", range: `quote, and more of ${CHANNELS.join(", ")}`, read: readChannels },
    default: QUOTES,
    help: "What it publishes, such as quote,trade,book,bar: more channels cost the venue's traffic, and CPU",
  },
};

/** @returns the channels of a list such as `quote,trade`; undefined where it is none */
function readChannels(list: string): ReadonlySet<Channel> | undefined {
  const names = list.split(",");
  const channels = CHANNELS.filter((channel) => names.includes(channel));
  return channels.length === names.length && names.includes("quote") ? new Set(channels) : undefined;
}

/** The longest line of help without its indentation. */
const HELP_WIDTH = 92;

/** The part of `tickgate feed --help` about feeds: every adapter with its options. */
export function adaptersHelp(): string {
  const lines = ["A feed is ADAPTER:TARGET?option=value&option=value. The adapters:"];
  for (const { name, target, help, options } of ADAPTERS)
    lines.push("", `  ${name}:${target}`, ...wrapped(`${help}.`), ...optionLines(options));
  lines.push("", "  Every feed has", ...optionLines(SHARED_OPTIONS));
  return `${lines.join("\n")}\n`;
}

function optionLines(options: FeedOptions): string[] {
  return Object.entries(options).flatMap(([name, { kind, default: fallback, help }]) => {
    const shown = fallback instanceof Set ? [...fallback].join() : String(fallback);
    const preset = shown === "" ? "" : ` Default: ${shown}.`;
    return ["", `    ${name}=${kind.arg}`, ...wrapped(`${help}. Must be ${kind.range}.${preset}`)];
  });
}

function wrapped(text: string): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = `${lines.at(-1)} ${word}`.trimStart();
    if (line.length <= HELP_WIDTH) lines[lines.length - 1] = line;
    else lines.push(word);
  }
  return lines.map((line) => `      ${line}`);
}
