/** Ticks directly to the clients: uWebSockets.js in the publisher's process. */

import { msgpackTick } from "../payload.ts";
import { serve } from "../servers/topics.ts";
import type { Transport } from "./transport.ts";

export function uwsTransport(): Transport {
  const app = serve();
  return {
    tick: (symbol, number, seq, eventTime, values) =>
      void app.publish(symbol, msgpackTick(number, seq, eventTime, values), true),
    flush: () => {},
  };
}
