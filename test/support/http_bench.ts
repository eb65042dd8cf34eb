/** Admission for tests, with default settings and limits that no test reaches. */
import { pino } from "pino";
import { SystemClock } from "../../src/base/clock.ts";
import { GatewayCounts } from "../../src/gateway/counts.ts";
import { TrustedProxies } from "../../src/gateway/http/address.ts";
import { HttpAdmission } from "../../src/gateway/http/admission.ts";
import { RateLimitedLog } from "../../src/log/rate_limited_log.ts";

export function testAdmission(): HttpAdmission {
  const clock = new SystemClock();
  const settings = {
    origins: ["*"],
    tlsCert: "",
    hstsMaxAge: 0,
    httpRatePerAddress: 1_000_000,
    httpRate: 1_000_000,
    httpUnreadPerAddress: 1_048_576,
    httpUnread: 16_777_216,
  };
  const events = new RateLimitedLog(pino({ enabled: false }), clock);
  return new HttpAdmission(
    { settings, clock, counts: new GatewayCounts({ metrics: false }), events },
    new TrustedProxies([]),
  );
}
