/**
 * The encoders of one channel that are in use, one per format and selection. A client can choose any of millions of
 * field lists: a limited number is shared, others have an encoder per client.
 */
import { TickEncoder } from "./encoder.ts";
import type { FrameFormat } from "./frame_format.ts";
import { QUOTE_JSON, QUOTE_MSGPACK } from "./quote/quote_format.ts";
import type { QuotePayload } from "./quote/quote_payload.ts";
import type { RowEncoder } from "./row_encoder.ts";
import type { MarketTable } from "./table.ts";

/**
 * Makes an encoder.
 * @param selection see {@link TickFormat.writeTick}
 * @param isShared whether it keeps what it encodes
 */
export type CreateEncoder = (isBinary: boolean, selection: Uint8Array, isShared: boolean) => RowEncoder;

/** The encoders of quotes. */
export function quoteEncoders(table: MarketTable<QuotePayload>): CreateEncoder {
  return (isBinary, fields, isShared) =>
    new TickEncoder(table, isBinary ? QUOTE_MSGPACK : QUOTE_JSON, fields, isShared);
}

export class EncoderPool {
  readonly #create: CreateEncoder;
  readonly #limit: number;
  readonly #encoders = new Map<string, { encoder: RowEncoder; uses: number }>();
  readonly #keys = new Map<RowEncoder, string>();

  /** @param limit how many encoders are shared */
  constructor(create: CreateEncoder, limit: number) {
    this.#create = create;
    this.#limit = limit;
  }

  /** How many selections are shared. */
  get size(): number {
    return this.#encoders.size;
  }

  /** An encoder for this selection, until {@link release}. */
  acquire({ binary }: Pick<FrameFormat, "binary">, selection: Uint8Array): RowEncoder {
    const key = `${binary}:${selection}`;
    const shared = this.#encoders.get(key);
    if (shared) {
      shared.uses++;
      return shared.encoder;
    }
    const isShared = this.#encoders.size < this.#limit;
    const encoder = this.#create(binary, selection, isShared);
    if (isShared) {
      this.#encoders.set(key, { encoder, uses: 1 });
      this.#keys.set(encoder, key);
    }
    return encoder;
  }

  release(encoder: RowEncoder): void {
    const key = this.#keys.get(encoder);
    const shared = key === undefined ? undefined : this.#encoders.get(key);
    if (key === undefined || !shared || --shared.uses > 0) return;
    this.#encoders.delete(key);
    this.#keys.delete(encoder);
    encoder.close();
  }
}
