/** What a process measures, and how many processes share the work. */
import { boolean, integer } from "./option.ts";
import { GATEWAY, SERVERS, setting } from "./setting.ts";

export const PROCESS_SETTINGS = {
  metrics: setting(
    SERVERS,
    "metrics",
    boolean(),
    true,
    "Measure latencies and serve /metrics; --no-metrics does neither",
  ),
  clockSkewWarning: setting(
    GATEWAY,
    "clock-skew-warning",
    integer(1, 3_600_000, "ms"),
    50,
    "A feed whose clock differs from this process's by more is named in the log; latencies are corrected by it, whatever it is",
  ),
  workers: setting(
    ["gateway"],
    "workers",
    integer(1, 256),
    1,
    "Processes that share the port, one a core; the admin port shows them all, and one that crashes is started again",
  ),
} as const;
