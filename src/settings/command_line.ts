/**
 * Reads a command line. The value of a setting comes from the first that has one: flag, environment, settings file,
 * default.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { UsageError } from "./option.ts";
import type { CommandName, Setting } from "./setting.ts";
import { SETTINGS, type Settings, settingsOf } from "./settings.ts";

/** The result of a command line. */
export interface CommandLine {
  readonly settings: Settings;
  /** The arguments that are not flags: the symbols to watch, the file to play. */
  readonly operands: readonly string[];
  /** Environment names with our prefix that are no settings, for a warning. */
  readonly unknownEnv: readonly string[];
}

/**
 * Reads the settings of a command from its flags, the environment and the settings file (`--config`).
 * @throws UsageError that names the setting, where it was found, and its range
 */
export function readSettings(command: CommandName, args: readonly string[], env: NodeJS.ProcessEnv): CommandLine {
  const own = settingsOf(command);
  const flags = own.map(([, setting]) => setting);
  const { values, positionals } = parseFlags([...flags, CONFIG], args, true);
  const configFile = values.config ?? env.TICKGATE_CONFIG;
  const file = typeof configFile === "string" ? readFile(configFile) : {};
  const settings: Record<string, unknown> = {};
  for (const [name, { default: fallback }] of Object.entries(SETTINGS)) settings[name] = fallback;
  for (const [name, setting] of own) {
    const flag = values[setting.flag];
    const fromEnv = env[setting.env];
    if (flag !== undefined) settings[name] = readValue(setting, `--${setting.flag}`, flag);
    else if (fromEnv !== undefined) settings[name] = readValue(setting, setting.env, fromEnv);
    else if (file[setting.flag] !== undefined)
      settings[name] = readValue(setting, `"${setting.flag}" in ${configFile}`, file[setting.flag]);
  }
  checkTogether(settings as unknown as Settings);
  return {
    settings: settings as unknown as Settings,
    operands: positionals,
    unknownEnv: unknownEnv(env),
  };
}

/** Refuses values that are each in their range and contradict each other. */
function checkTogether({ windowMin, windowMax, redirectPort, tlsCert }: Settings): void {
  if (windowMin > windowMax)
    throw new UsageError(`--window-min (${windowMin}) must not be above --window-max (${windowMax})`);
  if (redirectPort !== "" && tlsCert === "")
    throw new UsageError("--redirect-port needs --tls-cert: without TLS there is no https address");
}

/** The values of the flags that a command line has, by flag. */
export type FlagValues = Record<string, string | boolean | (string | boolean)[] | undefined>;
/** How a flag is written: a boolean default makes it a switch; a list's flag may be given several times. */
type Flag = Pick<Setting, "flag" | "default">;

/** The settings file. */
const CONFIG: Flag = { flag: "config", default: "" };

/**
 * Splits a command line into flags and operands. The values are not checked yet.
 * @throws UsageError that names an unknown flag, a flag without a value, or an operand where there may be none
 */
export function parseFlags(
  flags: readonly Flag[],
  args: readonly string[],
  allowPositionals: boolean,
): { values: FlagValues; positionals: string[] } {
  const options: Record<string, { type: "string" | "boolean"; multiple: boolean }> = {};
  for (const { flag, default: fallback } of flags)
    options[flag] = { type: typeof fallback === "boolean" ? "boolean" : "string", multiple: Array.isArray(fallback) };
  try {
    return parseArgs({ args: [...args], options, allowPositionals, strict: true, allowNegative: true });
  } catch (error) {
    // The first sentence of parseArgs is the explanation; the rest is about operands.
    const [first] = (error as Error).message.split(". ");
    throw new UsageError(first.replaceAll("\n", " "), { cause: error });
  }
}

/**
 * Reads a setting's value, or its values where it is a list.
 * @param where the flag, environment name or key that has the value, for the error
 * @throws UsageError that names it and its range
 */
export function readValue(
  setting: Pick<Setting, "kind" | "default" | "secret">,
  where: string,
  given: unknown,
): unknown {
  const values = Array.isArray(given) ? given : [given];
  const results = values.map((value) => {
    const result = typeof value === "object" ? undefined : setting.kind.read(String(value));
    if (result === undefined)
      throw new UsageError(
        `${where} must be ${setting.kind.range}${setting.secret ? "" : `, not ${JSON.stringify(value)}`}`,
      );
    return result;
  });
  return Array.isArray(setting.default) ? results.flat() : results.at(-1);
}

function readFile(path: string): Record<string, unknown> {
  const content = parsed(path);
  if (typeof content !== "object" || content === null || Array.isArray(content))
    throw new UsageError(`the settings file ${path} must hold one JSON object`);
  const flags = new Set(Object.values(SETTINGS).map((setting) => setting.flag));
  for (const key of Object.keys(content))
    if (!flags.has(key)) throw new UsageError(`${JSON.stringify(key)} in ${path} is no setting; see tickgate --help`);
  return content as Record<string, unknown>;
}

function parsed(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`cannot read the settings file ${path}: ${(error as Error).message}`, { cause: error });
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    // The message quotes the file's text, which may hold a password.
    const [where = ""] = / at position \d+.*$/.exec((error as Error).message) ?? [];
    throw new UsageError(`cannot read the settings file ${path}: it is no JSON${where}`);
  }
}

function unknownEnv(env: NodeJS.ProcessEnv): string[] {
  const names = new Set([
    "TICKGATE_CONFIG",
    "TICKGATE_WORKER",
    ...Object.values(SETTINGS).map((setting) => setting.env),
  ]);
  return Object.keys(env).filter((name) => name.startsWith("TICKGATE_") && !names.has(name));
}
