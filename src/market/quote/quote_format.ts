/** The form of a quote in frames: `[handle, seq, eventTime, value, …]`, the values as granted. */
import { FIELD_COUNT } from "../../base/tick.ts";
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
import type { QuotePayload } from "./quote_payload.ts";

export type QuoteFormat = TickFormat<QuotePayload>;

export const QUOTE_MSGPACK: QuoteFormat = {
  ...MSGPACK_FRAME,
  maxTickBytes: (fields) => 1 + (3 + fields.length) * MAX_NUMBER_BYTES,
  writeTick({ view }, at, table, row, fields) {
    let end = writeArrayHead(view, at, 3 + fields.length);
    end = writeRow(view, end, table, row);
    const base = row * FIELD_COUNT;
    const { values } = table.payload;
    for (let index = 0; index < fields.length; index++) end = writeNumber(view, end, values[base + fields[index]]);
    return end;
  },
};

export const QUOTE_JSON: QuoteFormat = {
  ...JSON_FRAME,
  maxTickBytes: (fields) => 2 + (3 + fields.length) * JSON_NUMBER,
  // A tick begins with the comma that separates it from the element before.
  writeTick({ bytes }, at, table, row, fields) {
    let text = `,[${rowText(table, row)}`;
    const base = row * FIELD_COUNT;
    const { values } = table.payload;
    for (let index = 0; index < fields.length; index++) text += `,${numberText(values[base + fields[index]])}`;
    return at + bytes.write(`${text}]`, at, "latin1");
  },
};
