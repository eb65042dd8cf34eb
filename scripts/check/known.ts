/**
 * What broke the rules before they were checked. An entry that is no longer true fails the check, so the lists only
 * shrink. When both are empty, this file is deleted.
 */

export const WRONG_IMPORTS: readonly string[] = [
  "src/admin/admin.ts may not import src/admin_connections.ts",
  "src/admin/admin.ts may not import src/admin_guard.ts",
  "src/admin/admin.ts may not import src/admin_traces.ts",
  "src/admin_connections.ts is in no folder that scripts/check/imports.ts names",
  "src/admin_guard.ts is in no folder that scripts/check/imports.ts names",
  "src/admin_traces.ts is in no folder that scripts/check/imports.ts names",
  "src/gateway/gateway.ts may not import src/admin/status/gateway_report.ts",
];

/** Folders and files that have long comment lines. */
export const LONG_COMMENTS: readonly string[] = [
  "loadtest/",
  "src/admin/",
  "src/admin_connections.ts",
  "src/admin_guard.ts",
  "src/admin_traces.ts",
  "src/base/",
  "src/bus/",
  "src/client/",
  "src/command/",
  "src/feed/",
  "src/gateway/",
  "src/log/",
  "src/market/",
  "src/protocol/",
  "src/web/",
];
