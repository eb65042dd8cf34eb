/** A door for tests: as the settings are by default, and never closed by its limits. */
import { pino } from "pino";
import { SystemClock } from "../../src/base/clock.ts";
import { GatewayCounts } from "../../src/gateway/counts.ts";
import { TrustedProxies } from "../../src/gateway/http/address.ts";
import { HttpDoor } from "../../src/gateway/http/door.ts";
import { RateLimitedLog } from "../../src/log/rate_limited_log.ts";

export function testDoor(): HttpDoor {
  const clock = new SystemClock();
  const settings = {
    origins: ["*"],
    httpRatePerAddress: 1_000_000,
    httpRate: 1_000_000,
    httpUnreadPerAddress: 1_048_576,
    httpUnread: 16_777_216,
  };
  const events = new RateLimitedLog(pino({ enabled: false }), clock);
  return new HttpDoor(
    { settings, clock, counts: new GatewayCounts({ metrics: false }), events },
    new TrustedProxies([]),
  );
}
