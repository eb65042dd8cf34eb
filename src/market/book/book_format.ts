/** The form of a book in frames: `[handle, seq, eventTime, bids, asks]`, each side flat. */
import { MAX_NUMBER_BYTES, writeArrayHead, writeNumber } from "../../msgpack/msgpack.ts";
import {
  JSON_FRAME,
  JSON_NUMBER,
  MSGPACK_FRAME,
  numberText,
  rowText,
  type TickFormat,
  writeRow,
} from "../frame_format.ts";
import type { BookPayload } from "./book_payload.ts";

/** The head of a side: an array of up to 100 numbers. */
const SIDE_HEAD = 3;

/** The selection is one number: how many levels of each side. */
export const BOOK_MSGPACK: TickFormat<BookPayload> = {
  ...MSGPACK_FRAME,
  maxTickBytes: ([depth]) => 1 + 3 * MAX_NUMBER_BYTES + 2 * (SIDE_HEAD + depth * 2 * MAX_NUMBER_BYTES),
  writeTick({ view }, at, table, row, [depth]) {
    const { payload } = table;
    const end = writeRow(view, writeArrayHead(view, at, 5), table, row);
    const bids = writeSide(view, end, payload.numbers, payload.bidsAt(row), Math.min(depth, payload.bidLevels[row]));
    return writeSide(view, bids, payload.numbers, payload.asksAt(row), Math.min(depth, payload.askLevels[row]));
  },
};

export const BOOK_JSON: TickFormat<BookPayload> = {
  ...JSON_FRAME,
  maxTickBytes: ([depth]) => 2 + 3 * JSON_NUMBER + 2 * (3 + depth * 2 * JSON_NUMBER),
  writeTick({ bytes }, at, table, row, [depth]) {
    const { payload } = table;
    const bids = sideText(payload.numbers, payload.bidsAt(row), Math.min(depth, payload.bidLevels[row]));
    const asks = sideText(payload.numbers, payload.asksAt(row), Math.min(depth, payload.askLevels[row]));
    return at + bytes.write(`,[${rowText(table, row)},${bids},${asks}]`, at, "latin1");
  },
};

function writeSide(view: DataView, at: number, numbers: Float64Array, from: number, levels: number): number {
  let end = writeArrayHead(view, at, levels * 2);
  for (let index = 0; index < levels * 2; index++) end = writeNumber(view, end, numbers[from + index]);
  return end;
}

function sideText(numbers: Float64Array, from: number, levels: number): string {
  let text = "[";
  for (let index = 0; index < levels * 2; index++)
    text += `${index > 0 ? "," : ""}${numberText(numbers[from + index])}`;
  return `${text}]`;
}
