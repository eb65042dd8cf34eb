/**
 * Every setting in one table, joined from the files of each subject. command_line.ts reads the values, and the help
 * pages are written from this table, in its order.
 */

import { ADMIN_SETTINGS } from "./admin_settings.ts";
import { BUS_SETTINGS } from "./bus_settings.ts";
import { CONNECTION_SETTINGS } from "./connection_settings.ts";
import { FLOW_SETTINGS } from "./flow_settings.ts";
import { IDENTITY_SETTINGS } from "./identity_settings.ts";
import { LIMIT_SETTINGS } from "./limit_settings.ts";
import { LOG_SETTINGS } from "./log_settings.ts";
import { PROCESS_SETTINGS } from "./process_settings.ts";
import { REVOKE_SETTINGS } from "./revoke_settings.ts";
import { SERVER_SETTINGS } from "./server_settings.ts";
import type { CommandName, Setting } from "./setting.ts";
import { TLS_SETTINGS } from "./tls_settings.ts";
import { TOOL_SETTINGS } from "./tool_settings.ts";

/** All settings, by the name that the code uses. */
export const SETTINGS = {
  ...SERVER_SETTINGS,
  ...ADMIN_SETTINGS,
  ...TLS_SETTINGS,
  ...CONNECTION_SETTINGS,
  ...IDENTITY_SETTINGS,
  ...LIMIT_SETTINGS,
  ...FLOW_SETTINGS,
  ...BUS_SETTINGS,
  ...PROCESS_SETTINGS,
  ...TOOL_SETTINGS,
  ...REVOKE_SETTINGS,
  ...LOG_SETTINGS,
} as const satisfies Record<string, Setting>;

type SettingTable = typeof SETTINGS;
/** The values of all settings. */
export type Settings = { readonly [K in keyof SettingTable]: SettingTable[K] extends Setting<infer T> ? T : never };

/** The settings that a command has, as pairs of name and setting. */
export function settingsOf(command: CommandName): [keyof Settings, Setting][] {
  return (Object.entries(SETTINGS) as [keyof Settings, Setting][]).filter(([, s]) => s.commands.includes(command));
}
