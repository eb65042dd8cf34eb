/** The form of a trade in frames: `[handle, seq, eventTime, price, size, side, id]`. */

import { MAX_NUMBER_BYTES, type Target, writeArrayHead, writeNumber } from "../../msgpack/msgpack.ts";
import { type FrameFormat, JSON_FRAME, JSON_NUMBER, MSGPACK_FRAME, numberText } from "../frame_format.ts";
import { MAX_ID_CHARACTERS, type TradeRing } from "./trade_ring.ts";

const ELEMENTS = 7;

export interface TradeFormat extends FrameFormat {
  readonly maxTradeBytes: number;
  /** @returns the position behind it */
  writeTrade(target: Target, at: number, handle: number, ring: TradeRing, slot: number): number;
}

export const TRADE_MSGPACK: TradeFormat = {
  ...MSGPACK_FRAME,
  // The head, six numbers at most, and a text with a head of two bytes.
  maxTradeBytes: 1 + 6 * MAX_NUMBER_BYTES + 2 + MAX_ID_CHARACTERS,
  writeTrade({ view, bytes }, at, handle, ring, slot) {
    let end = writeArrayHead(view, at, ELEMENTS);
    end = writeNumber(view, end, handle);
    end = writeNumber(view, end, ring.seq[slot]);
    end = writeNumber(view, end, ring.eventTime[slot]);
    end = writeNumber(view, end, ring.price[slot]);
    end = writeNumber(view, end, ring.size[slot]);
    // -1 is a negative fixint.
    view.setInt8(end++, ring.side[slot]);
    const id = ring.ids[slot];
    if (id === null) {
      view.setUint8(end++, 0xc0);
      return end;
    }
    if (id.length >= 32) view.setUint8(end++, 0xd9);
    view.setUint8(end++, id.length < 32 ? 0xa0 | id.length : id.length);
    return end + bytes.write(id, end, "latin1");
  },
};

export const TRADE_JSON: TradeFormat = {
  ...JSON_FRAME,
  // Each character of an id may be escaped.
  maxTradeBytes: 2 + 6 * JSON_NUMBER + 2 + 2 * MAX_ID_CHARACTERS,
  writeTrade({ bytes }, at, handle, ring, slot) {
    const [seq, time, price, size] = [ring.seq, ring.eventTime, ring.price, ring.size].map((numbers) =>
      numberText(numbers[slot]),
    );
    const text = `,[${handle},${seq},${time},${price},${size},${ring.side[slot]},${JSON.stringify(ring.ids[slot])}]`;
    return at + bytes.write(text, at, "latin1");
  },
};
