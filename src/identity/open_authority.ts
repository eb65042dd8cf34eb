/** For a gateway that reads no tokens and has no policy: everybody sees everything. */
import type { Authority, Identity } from "./identity.ts";

const LIVE = { interval: 0, delay: 0 };
const EVERYBODY: Identity = {
  subject: undefined,
  roles: ["anonymous"],
  entitlements: { allowsAll: true, decide: () => LIVE, covering: () => ["*"] },
  maxConnections: Number.POSITIVE_INFINITY,
  maxSymbols: Number.POSITIVE_INFINITY,
  issuedAt: undefined,
  acceptedAt: 0,
  expires: undefined,
};

export const OPEN_AUTHORITY: Authority = {
  mode: "none",
  anonymous: EVERYBODY,
  longestDelay: () => 0,
  authenticate: async () => ({
    refused: "invalid_token",
    reason: "not_read",
    message: "this gateway reads no tokens",
  }),
  review: (identity) => identity,
  onChange: () => {},
};
