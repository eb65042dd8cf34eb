/** The command line: finds the command, reads its settings, and runs it. */

import { VERSION } from "./base/version.ts";
import { commandHelp, overview } from "./command/help.ts";
import { endWithLauncher } from "./command/serve/launcher.ts";
import { runServers } from "./command/serve/servers.ts";
import { say } from "./command/terminal/lines.ts";
import { withoutSecrets } from "./log/secrets.ts";
import { type CommandLine, readSettings } from "./settings/command_line.ts";
import { UsageError } from "./settings/option.ts";
import type { CommandName } from "./settings/setting.ts";

type Run = (commandLine: CommandLine) => Promise<void>;

/** What runs each command; those with parts of their own are loaded when they are wanted. */
const COMMANDS: Readonly<Record<CommandName, Run>> = {
  all: (line) => runServers(line, { gateway: true, feeds: true }),
  gateway: (line) => runServers(line, { gateway: true, feeds: false }),
  feed: (line) => runServers(line, { gateway: false, feeds: true }),
  watch: async (line) => (await import("./command/watch/watch.ts")).run(line),
  top: async (line) => (await import("./command/top/top.ts")).run(line),
  trace: async (line) => (await import("./command/trace/trace.ts")).run(line),
  revoke: async (line) => (await import("./command/revoke.ts")).run(line),
  play: async (line) => (await import("./command/play.ts")).run(line),
};

async function main([name, ...args]: readonly string[]): Promise<void> {
  if (name === undefined || name === "help" || name === "--help" || name === "-h") return write(overview());
  if (name === "--version" || name === "-V") return write(VERSION);
  if (!Object.hasOwn(COMMANDS, name))
    throw new UsageError(`no command ${JSON.stringify(name)}; there are ${Object.keys(COMMANDS).join(", ")}`);
  const command = name as CommandName;
  // Before the settings are read: help must be had whatever else is wrong.
  if (args.includes("--help") || args.includes("-h")) return write(commandHelp(command));
  if (args.includes("--version") || args.includes("-V")) return write(VERSION);
  await COMMANDS[command](readSettings(command, args, process.env));
}

function write(text: string): void {
  process.stdout.write(`${text.trimEnd()}\n`);
}

endWithLauncher();
try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  say(withoutSecrets(error.message));
  process.exitCode = 2;
}
