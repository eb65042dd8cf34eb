/** `tickgate revoke`: makes tokens invalid before their time, at all gateways of one Redis. */
import { SystemClock } from "../base/clock.ts";
import type { Revocation, Revocations } from "../bus/bus.ts";
import { openBus } from "../bus/open.ts";
import { MOST_REVOCATIONS } from "../bus/redis/revocations.ts";
import { createLog } from "../log/log.ts";
import type { CommandLine } from "../settings/command_line.ts";
import { UsageError } from "../settings/option.ts";
import type { Settings } from "../settings/settings.ts";

const HOUR = 3_600_000_000;
const SECOND = 1_000_000;
/** How long it waits for Redis, ms. */
const CONNECT_TIME = 5_000;

/**
 * Writes the revocation to Redis, and ends.
 * @throws UsageError when it is not said what is revoked, or Redis cannot take it
 */
export async function run({ settings, operands }: CommandLine): Promise<void> {
  if (operands.length > 0) throw new UsageError(`${JSON.stringify(operands[0])} is no setting; see --help`);
  if (settings.redisUrl === "")
    throw new UsageError("revoke needs the gateways' Redis: --redis-url or TICKGATE_REDIS_URL");
  const clock = new SystemClock();
  checkSettings(settings);
  const bus = openBus(settings, clock, createLog({ ...settings, logLevel: "silent" }));
  try {
    const revocation = await withTime(
      connected(bus.links()[0]).then(() => addRevocation(bus.revocations(), settings)),
      () => bus.unready(),
    );
    process.stdout.write(`Revoked: ${describe(revocation)}. Gateways know it within two seconds.\n`);
  } finally {
    await bus.close();
  }
}

/** Times are those of Redis' clock, which all who revoke have in common. */
async function addRevocation(revocations: Revocations | undefined, settings: Settings): Promise<Revocation> {
  if (!revocations) throw new Error("there is no Redis");
  const revocation = revocationOf(settings, await revocations.now());
  if (!(await revocations.add(revocation)))
    throw new UsageError(`nothing was revoked: ${MOST_REVOCATIONS} revocations are in force, which is the most`);
  return revocation;
}

function checkSettings({ revokeSubject, revokeTokenId, revokeIssuedBefore }: Settings): void {
  if ([revokeSubject, revokeTokenId, revokeIssuedBefore].filter((each) => each !== "").length !== 1)
    throw new UsageError("revoke takes one of --subject, --token-id and --issued-before");
}

function revocationOf(settings: Settings, now: number): Revocation {
  const { revokeSubject: subject, revokeTokenId: tokenId, revokeIssuedBefore: time, revokeHours: hours } = settings;
  const until = now + hours * HOUR;
  if (tokenId !== "") return { kind: "token", value: tokenId, issuedBefore: 0, until };
  // The time of issue has whole seconds: tokens of this second are revoked as well.
  if (subject !== "")
    return { kind: "subject", value: subject, issuedBefore: (Math.floor(now / SECOND) + 1) * SECOND, until };
  const millis = /^\d+$/.test(time) ? Number(time) * 1_000 : Date.parse(time);
  if (!Number.isFinite(millis))
    throw new UsageError("--issued-before must be a time such as 2026-11-30T12:00:00Z, or seconds since 1970");
  if (millis * 1_000 > now + SECOND)
    throw new UsageError("--issued-before must not be in the future; as a number it is seconds since 1970");
  return { kind: "all", value: "", issuedBefore: millis * 1_000, until };
}

function describe({ kind, value, issuedBefore, until }: Revocation): string {
  const end = new Date(until / 1_000).toISOString();
  const before = new Date(issuedBefore / 1_000).toISOString();
  if (kind === "token") return `the token ${JSON.stringify(value)}, until ${end}`;
  return `${kind === "all" ? "all tokens" : `tokens of ${JSON.stringify(value)}`} issued before ${before}, until ${end}`;
}

function connected(link: { onUp(listener: () => void): void } | undefined): Promise<void> {
  return new Promise((resolve) => link?.onUp(resolve));
}

async function withTime<T>(work: Promise<T>, reason: () => string | undefined): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new UsageError(reason() ?? "Redis does not answer")), CONNECT_TIME);
  });
  try {
    return await Promise.race([work, late]);
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError(`Redis refused it: ${(error as Error).message}`);
  } finally {
    clearTimeout(timer);
  }
}
