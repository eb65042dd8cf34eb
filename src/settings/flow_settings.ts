/** How a gateway shares its time, and how it treats readers that are slow or that it must send away. */
import { integer } from "./option.ts";
import { GATEWAY, setting } from "./setting.ts";

export const FLOW_SETTINGS = {
  windowMin: setting(
    GATEWAY,
    "window-min",
    integer(1_024, 1_048_576, "bytes"),
    4_096,
    "The arrival window of the slowest reader: less keeps its prices younger and costs more frames",
  ),
  windowMax: setting(
    GATEWAY,
    "window-max",
    integer(65_536, 67_108_864, "bytes"),
    2_097_152,
    "The arrival window of the fastest reader far away: bandwidth times round trip, and no more",
  ),
  windowDelay: setting(
    GATEWAY,
    "window-delay",
    integer(10, 5_000, "ms"),
    250,
    "How long bytes on their way to a slow reader may queue: its prices are about this much older",
  ),
  sliceTime: setting(
    GATEWAY,
    "slice-time",
    integer(1, 100, "ms"),
    4,
    "How long a flush pass may hold the event loop before sockets and the bus are served again",
  ),
  drainDelay: setting(
    GATEWAY,
    "drain-delay",
    integer(0, 300_000, "ms"),
    500,
    "On SIGTERM, how long to be unready before connections are closed: the balancer's health check must see it",
  ),
  drainSpread: setting(
    GATEWAY,
    "drain-spread",
    integer(0, 300_000, "ms"),
    500,
    "On SIGTERM, clients are told to come back after 0 to so many ms, each another time",
  ),
} as const;
