/** The form of a bar in frames: `[handle, seq, start, open, high, low, close, volume, trades, flags]`. */

import { MAX_NUMBER_BYTES, type Target, writeArrayHead, writeNumber } from "../../msgpack/msgpack.ts";
import { type FrameFormat, JSON_FRAME, JSON_NUMBER, MSGPACK_FRAME, numberText } from "../frame_format.ts";
import type { BarSeries } from "./bar_series.ts";

const ELEMENTS = 10;

export interface BarFormat extends FrameFormat {
  readonly maxBarBytes: number;
  /** @returns the position behind it */
  writeBar(
    target: Target,
    at: number,
    handle: number,
    seq: number,
    series: BarSeries,
    index: number,
    flags: number,
  ): number;
}

export const BAR_MSGPACK: BarFormat = {
  ...MSGPACK_FRAME,
  maxBarBytes: 1 + ELEMENTS * MAX_NUMBER_BYTES,
  writeBar({ view }, at, handle, seq, series, index, flags) {
    let end = writeArrayHead(view, at, ELEMENTS);
    end = writeNumber(view, end, handle);
    end = writeNumber(view, end, seq);
    end = writeNumber(view, end, series.start[index]);
    end = writeNumber(view, end, series.open[index]);
    end = writeNumber(view, end, series.high[index]);
    end = writeNumber(view, end, series.low[index]);
    end = writeNumber(view, end, series.close[index]);
    end = writeNumber(view, end, series.volume[index]);
    end = writeNumber(view, end, series.trades[index]);
    return writeNumber(view, end, flags);
  },
};

export const BAR_JSON: BarFormat = {
  ...JSON_FRAME,
  maxBarBytes: 2 + ELEMENTS * JSON_NUMBER,
  writeBar({ bytes }, at, handle, seq, series, index, flags) {
    const { start, open, high, low, close, volume, trades } = series;
    let text = `,[${handle},${seq},${start[index]}`;
    for (const column of [open, high, low, close, volume, trades]) text += `,${numberText(column[index])}`;
    return at + bytes.write(`${text},${flags}]`, at, "latin1");
  },
};
