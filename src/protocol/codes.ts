/** The codes of the client protocol: of `error` messages and of the WebSocket close. */

/** The error codes of commands, and whether the same command may succeed later. */
export const ERROR_CODES = {
  bad_message: { retryable: false },
  unknown_op: { retryable: false },
  invalid_symbol: { retryable: false },
  unknown_field: { retryable: false },
  invalid_interval: { retryable: false },
  unknown_channel: { retryable: false },
  invalid_depth: { retryable: false },
  invalid_last: { retryable: false },
  invalid_resolution: { retryable: false },
  too_many_symbols: { retryable: true },
  too_many_commands: { retryable: true },
  not_entitled: { retryable: false },
  not_subscribed: { retryable: false },
  not_authenticated: { retryable: false },
  invalid_token: { retryable: false },
  forbidden: { retryable: false },
  internal: { retryable: true },
} as const;

/** A code of an `error` message: see docs/protocol.md. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** The close codes, and whether the client should reconnect. */
export const CLOSE_CODES = {
  goingAway: { code: 1001, comeBack: true },
  tooLarge: { code: 1009, comeBack: false },
  internal: { code: 1011, comeBack: true },
  restarting: { code: 1012, comeBack: true },
  full: { code: 1013, comeBack: true },
  protocolBroken: { code: 4400, comeBack: false },
  notAuthenticated: { code: 4401, comeBack: false },
  notAllowed: { code: 4403, comeBack: false },
  tooSlow: { code: 4408, comeBack: true },
  tooMany: { code: 4429, comeBack: true },
} as const;

export type CloseName = keyof typeof CLOSE_CODES;
