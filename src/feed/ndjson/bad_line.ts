import type { SkipReason } from "../adapter.ts";

/** Why a line is no tick. */
export class BadLine {
  readonly reason: SkipReason;
  readonly message: string;

  constructor(message: string, reason: SkipReason = "malformed") {
    this.reason = reason;
    this.message = message;
  }
}
