/** The help pages, written from the tables of settings and adapters. */
import { adaptersHelp } from "../feed/adapters.ts";
import type { CommandName, Setting } from "../settings/setting.ts";
import { settingsOf } from "../settings/settings.ts";

interface CommandText {
  readonly usage: string;
  readonly help: string;
}

const TEXTS: Readonly<Record<CommandName, CommandText>> = {
  all: { usage: "tickgate all [--feed FEED]…", help: "Feeds, bus and gateway in one process: nothing else is needed" },
  gateway: { usage: "tickgate gateway", help: "A gateway node: takes ticks from Redis to its clients" },
  feed: { usage: "tickgate feed --feed FEED…", help: "Publishes feeds to Redis" },
  watch: { usage: "tickgate watch SYMBOL…", help: "Shows live prices in the terminal: tickgate watch 'SIM:*'" },
  top: {
    usage: "tickgate top [ADMIN-URL]…",
    help: "Shows nodes and their slowest clients: tickgate top gateway1:9090 gateway2:9090",
  },
  trace: {
    usage: "tickgate trace SYMBOL",
    help: "Follows a symbol's next ticks through every stage: tickgate trace SIM:S0000",
  },
  revoke: {
    usage: "tickgate revoke --subject SUBJECT",
    help: "Makes tokens invalid before their time, at all gateways of one Redis",
  },
  play: { usage: "tickgate play FILE", help: "Plays a capture of an exchange's traffic as the exchange would" },
};

const WIDTH = 100;

/** The text of `tickgate --help`. */
export function overview(): string {
  const names = Object.keys(TEXTS) as CommandName[];
  const commands = names.map((name) => `  ${name.padEnd(9)}${TEXTS[name].help}`);
  return [
    "tickgate: live prices from feeds to screens",
    "",
    "Usage: tickgate COMMAND [--help] [--version] [settings]",
    "",
    "Commands:",
    ...commands,
    "",
    "tickgate COMMAND --help shows the settings of a command.",
  ].join("\n");
}

/** The text of `tickgate COMMAND --help`. */
export function commandHelp(command: CommandName): string {
  const { usage, help } = TEXTS[command];
  const settings = settingsOf(command);
  const parts = [
    `Usage: ${usage}`,
    "",
    help,
    "",
    "Settings, each from its flag, else from the environment, else from the settings file, else its default:",
    ...settings.flatMap(([, setting]) => ["", ...settingHelp(setting)]),
    "",
    "  --config FILE   [TICKGATE_CONFIG]",
    "      A settings file: one JSON object, its keys the flags without the dashes",
    "  --help, --version",
  ];
  if (settings.some(([name]) => name === "feeds")) parts.push("", adaptersHelp());
  return parts.join("\n");
}

function settingHelp(setting: Setting): string[] {
  const { flag, env, kind, default: fallback, help } = setting;
  const arg = typeof fallback === "boolean" ? "" : ` ${kind.arg}`;
  const text = Array.isArray(fallback) ? fallback.join(" ") : String(fallback);
  const shown = text === "" ? "" : ` Default: ${text}.`;
  return [`  --${flag}${arg}   [${env}]`, ...wrap(`${help}. Must be ${kind.range}.${shown}`, 6)];
}

function wrap(text: string, indent: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line && indent + line.length + 1 + word.length > WIDTH) {
      lines.push(" ".repeat(indent) + line);
      line = "";
    }
    line += (line ? " " : "") + word;
  }
  lines.push(" ".repeat(indent) + line);
  return lines;
}
