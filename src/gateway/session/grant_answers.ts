/** Says what was granted and what has ended, in messages of at most 16 KiB. */
import type { RowTable } from "../../market/gateway_table.ts";
import { channelOf, type MarketName, marketKeys } from "../../market/market_name.ts";
import type {
  ChannelSubscribed,
  CommandId,
  Control,
  EndReason,
  Rejection,
  Subscribed,
} from "../../protocol/messages.ts";
import type { AccessRecord } from "../access/access_record.ts";
import type { DelayedRows } from "../delay/delayed_rows.ts";
import { splitParts, symbolBytes } from "../fanout/message_parts.ts";
import type { StatusBatcher } from "../fanout/status_batcher.ts";
import type { Granted, Reviewed } from "./grants.ts";

/** The bytes of a handle and a count in JSON, besides their symbol: 9 and 7 digits, brackets and commas. */
const HANDLE_BYTES = 22;

export interface GrantAnswersParts {
  readonly name: MarketName;
  readonly table: RowTable;
  readonly delays: DelayedRows;
  readonly status: StatusBatcher;
}

export class GrantAnswers {
  readonly #parts: GrantAnswersParts;
  readonly #outbound: Receiver;
  readonly #access: AccessRecord | undefined;

  /** @param access records what the client sees */
  constructor(parts: GrantAnswersParts, outbound: Receiver, access: AccessRecord | undefined) {
    this.#parts = parts;
    this.#outbound = outbound;
    this.#access = access;
  }

  /** @param hasMore whether more parts of this answer follow */
  subscribed(granted: Granted, id: CommandId | undefined, hasMore: boolean): void {
    const { grant, interval, rows, counts, rejected } = granted;
    const { name, table, delays } = this.#parts;
    const { symbols } = table;
    const grants = rows.map((row, index): GrantedSymbol => {
      const handle = table.firstHandle + delays.liveRowOf(row);
      return table.payload.isSeries ? [symbols[row], handle, counts[index]] : [symbols[row], handle];
    });
    if (this.#access) for (const row of rows) this.#access.see(symbols[row], delays.delayOf(row));
    const delayOf = new Map<string, number>();
    for (const row of rows) if (delays.delayOf(row) > 0) delayOf.set(symbols[row], delays.delayOf(row));
    const cut = splitParts<GrantedSymbol | Rejection>([...grants, ...rejected], (item) =>
      isGranted(item)
        ? (symbolBytes(item[0]) + HANDLE_BYTES) * (delayOf.has(item[0]) ? 2 : 1)
        : Buffer.byteLength(JSON.stringify(item)) + 1,
    );
    if (cut.length === 0 && !hasMore) cut.push([]);
    cut.forEach((part, index) => {
      const isFollowed = hasMore || index < cut.length - 1;
      const granted = part.filter(isGranted);
      const delayed = granted.flatMap(([symbol]): [string, number][] => {
        const delay = delayOf.get(symbol);
        return delay === undefined ? [] : [[symbol, delay]];
      });
      const answer = {
        op: "subscribed" as const,
        ...idOf({ id }),
        interval,
        rejected: part.filter((item): item is Rejection => !isGranted(item)),
        ...(isFollowed && { more: true as const }),
      };
      if (name !== "quote") {
        const depth = name === "book" ? { depth: grant.selection[0] } : {};
        const keys = { ...marketKeys(name), channel: channelOf(name) as ChannelSubscribed["channel"] };
        this.#outbound.send({ ...answer, ...keys, ...depth, symbols: granted });
        return;
      }
      this.#outbound.send({
        ...answer,
        fields: [...grant.fields],
        symbols: granted as Subscribed["symbols"],
        ...(delayed.length > 0 && { delayed }),
      });
    });
    const { status } = this.#parts;
    for (const row of rows) status.addFirst(row);
    status.sendTo(this.#outbound);
  }

  /** @param hasMore whether more parts of this answer follow */
  unsubscribed(symbols: readonly string[], id: { id?: CommandId }, hasMore: boolean, reason?: EndReason): void {
    const cut = splitParts(symbols, symbolBytes);
    if (cut.length === 0 && !hasMore) cut.push([]);
    cut.forEach((part, index) => {
      const isFollowed = hasMore || index < cut.length - 1;
      this.#outbound.send({
        op: "unsubscribed",
        ...id,
        ...marketKeys(this.#parts.name),
        symbols: part,
        ...(isFollowed && { more: true }),
        ...(reason && { reason }),
      });
    });
  }

  /** What a step of a review has done. @param endReason of what it has ended */
  reviewed({ ended, granted, replaced }: Reviewed, endReason: EndReason): void {
    if (ended.length > 0) this.unsubscribed(ended, {}, false, endReason);
    const { status } = this.#parts;
    for (const part of granted) this.subscribed(part, undefined, false);
    // The count of `seq` continues from another place.
    for (const row of replaced) status.addGap(row, true);
    status.sendTo(this.#outbound);
  }
}

/** The id of a command, where it has one. */
export function idOf(command: { id?: CommandId }): { id?: CommandId } {
  return command.id === undefined ? {} : { id: command.id };
}

type GrantedSymbol = ChannelSubscribed["symbols"][number];

interface Receiver {
  send(message: Control | ChannelSubscribed): void;
}

function isGranted(item: GrantedSymbol | Rejection): item is GrantedSymbol {
  return Array.isArray(item);
}
