/** Settings of `tickgate revoke`. */
import { integer, text } from "./option.ts";
import { setting } from "./setting.ts";

const NAME = text("TEXT", "a text of at most 256 characters", /^[\s\S]{0,256}$/);

export const REVOKE_SETTINGS = {
  revokeSubject: setting(["revoke"], "subject", NAME, "", "Revokes the tokens of a subject that were issued until now"),
  revokeTokenId: setting(["revoke"], "token-id", NAME, "", "Revokes one token by its id, the claim jti"),
  revokeIssuedBefore: setting(
    ["revoke"],
    "issued-before",
    text("TIME", "a text", /^/),
    "",
    "Revokes all tokens that were issued before a time: 2026-11-30T12:00:00Z, or seconds since 1970",
  ),
  revokeHours: setting(
    ["revoke"],
    "for",
    integer(1, 8_784, "hours"),
    24,
    "How long the revocation is kept: as long as such tokens may live. A day fits most; it is at most a year",
    "TICKGATE_REVOKE_FOR",
  ),
} as const;
