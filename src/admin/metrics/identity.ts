/** The metrics of tokens, roles and delayed data. No label is a subject. */
import type { Gateway } from "../../gateway/gateway.ts";
import type { RunningAuthority } from "../../identity/authority.ts";
import type { Page } from "./page.ts";

/** @param now ms of the clock that the keys' age is counted by */
export function showIdentity(page: Page, gateway: Gateway, { counts }: RunningAuthority, now: () => number): void {
  const { verifier, keys, policy } = counts;
  page.gauges(
    "tickgate_role_connections",
    "Connections by role; one of several roles counts in each",
    "role",
    () => gateway.identities.byRole,
  );
  page.counter("tickgate_tokens_accepted_total", "Tokens that were valid", () => verifier.accepted);
  page.counters("tickgate_tokens_refused_total", "Tokens that were not, and why", "reason", () =>
    Object.entries(verifier.refused),
  );
  page.counter(
    "tickgate_token_unknown_roles_total",
    "Roles in accepted tokens that the policy does not have",
    () => verifier.unknownRoles,
  );
  page.histogram("tickgate_token_verification_seconds", "From a token's arrival to the result", verifier.time);
  page.gauge("tickgate_token_keys_age_seconds", "Time since the keys of tokens were read", () =>
    keys.readAt === undefined ? Number.NaN : (now() - keys.readAt) / 1_000,
  );
  page.counter("tickgate_token_key_failures_total", "Times that the keys could not be read", () => keys.failures);
  page.counter("tickgate_policy_failures_total", "Times that the policy could not be read", () => policy.failures);
  page.gauge(
    "tickgate_delayed_rows",
    "Symbols that are shown late, each delay of one counted",
    () => gateway.delays.rows,
  );
  page.gauge("tickgate_delayed_bytes", "Memory for what they are to show", () => gateway.delays.bytes);
  page.counter("tickgate_delayed_refused_total", "Times that there was no room for one", () => gateway.delays.refused);
}
