/** A door for tests: as the settings are by default, and never closed by its limits. */
import { pino } from "pino";
import { SystemClock } from "../clock.ts";
import { LogLimit } from "../log_limit.ts";
import { TrustedProxies } from "./address.ts";
import { GatewayCounts } from "./counts.ts";
import { HttpDoor } from "./http_door.ts";

export function testDoor(): HttpDoor {
  const clock = new SystemClock();
  const settings = {
    origins: ["*"],
    httpRatePerAddress: 1_000_000,
    httpRate: 1_000_000,
    httpUnreadPerAddress: 1_048_576,
    httpUnread: 16_777_216,
  };
  const events = new LogLimit(pino({ enabled: false }), clock);
  return new HttpDoor(
    { settings, clock, counts: new GatewayCounts({ metrics: false }), events },
    new TrustedProxies([]),
  );
}
