/**
 * A publisher's end of the Redis bus, for one feed: leads or stands by, and writes what has changed. It keeps no queue:
 * a shard with a write under way gathers the rows that change meanwhile, each once.
 */
import type { Logger } from "pino";
import type { Clock } from "../../../base/clock.ts";
import { FAULT_LIMIT, RateLimitedLog } from "../../../log/rate_limited_log.ts";
import type { MarketName } from "../../../market/market_name.ts";
import type { Payload } from "../../../market/payload.ts";
import type { PublisherTable } from "../../../market/publisher_table.ts";
import type { BusWriter, ChannelTables } from "../../bus.ts";
import { Handover } from "../../handover.ts";
import { BatchDecoder, BatchEncoder } from "../../wire/wire.ts";
import { isConnectionLoss, type RedisLink } from "../connection/link.ts";
import type { RedisKeys } from "../shard.ts";
import { HOLD_INTERVAL, Lease } from "./lease.ts";
import { RowShards } from "./row_shards.ts";
import { ShardWriter } from "./shard_writer.ts";
import { takeOver } from "./takeover.ts";
import { WriteGap } from "./write_gap.ts";
import { WriterCounts } from "./writer_counts.ts";

/** One channel of the feed. */
interface WrittenChannel {
  readonly keys: RedisKeys;
  readonly table: PublisherTable<Payload>;
  readonly rows: RowShards;
  /** By shard. */
  readonly shards: readonly ShardWriter[];
}

/** `waiting` for Redis; `standby` while another leads; `taking over`; `leading`. */
export type WriterRole = "waiting" | "standby" | "taking over" | "leading";

/** What a writer is made of. */
export interface WriterOptions {
  readonly feed: string;
  readonly keys: RedisKeys;
  readonly link: RedisLink;
  /** Whether shard channels are used, as a Cluster wants it. */
  readonly isSharded: boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How often a standby looks whether the lease is free, in milliseconds. */
const STANDBY_INTERVAL = 200;
/** How often shards are looked after: heartbeats, overdue writes, second tries. In milliseconds. */
const TEND_INTERVAL = 100;
/** How long a close may take to write what is unwritten, in milliseconds. */
const CLOSE_TIMEOUT = 2_000;

export class RedisWriter implements BusWriter {
  readonly counts = new WriterCounts();
  readonly #options: WriterOptions;
  readonly #lease: Lease;
  readonly #log: Logger;
  /** For faults that come back with each retry. */
  readonly #faults: RateLimitedLog;
  readonly #channels = new Map<MarketName, WrittenChannel>();
  #quotes: WrittenChannel | undefined;
  /** Of all channels. */
  readonly #shards: ShardWriter[] = [];
  #handover: Handover | undefined;
  #role: WriterRole = "waiting";
  #epoch = 0;
  #isClosed = false;
  #flush: NodeJS.Immediate | undefined;
  /** While it runs, what changes waits for it. */
  #rest: NodeJS.Timeout | undefined;
  readonly #gap = new WriteGap();
  #wake: (() => void) | undefined;
  #run: Promise<void> | undefined;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#log = options.log.child({ feed: options.feed });
    this.#faults = new RateLimitedLog(this.#log, options.clock, FAULT_LIMIT);
    this.#lease = new Lease(options.link, options.keys, options.feed);
  }

  get role(): WriterRole {
    return this.#role;
  }

  get isLeading(): boolean {
    return this.#role === "leading";
  }

  /** Of its reign, or of its last one; 0 while it has had none. */
  get epoch(): number {
    return this.#epoch;
  }

  start(table: PublisherTable, handover = new Handover(), others: ChannelTables = new Map()): Promise<void> {
    this.#handover = handover;
    this.#add("quote", table, handover);
    for (const [channel, other] of others) this.#add(channel, other, new Handover());
    return new Promise((resolve, reject) => {
      this.#run = this.#reign(resolve).then(() => reject(new Error("the bus was closed")));
    });
  }

  changed(row: number, name: MarketName = "quote"): void {
    // A tick costs little more than a microsecond: it must not look for its channel.
    const channel = name === "quote" ? this.#quotes : this.#channels.get(name);
    if (!channel || (this.#role !== "leading" && this.#role !== "taking over")) return;
    channel.shards[channel.rows.of(row)].changed(row);
    this.#scheduleFlush();
  }

  #add(channel: MarketName, table: PublisherTable<Payload>, handover: Handover): void {
    const { feed, link } = this.#options;
    const keys = this.#options.keys.ofMarket(channel);
    const rows = new RowShards(table, keys);
    const owner = {
      ...this.#options,
      keys,
      table,
      encoder: new BatchEncoder(feed, keys.shards, channel),
      record: table.payload.createRecord(),
      counts: this.counts,
      handover,
      offset: link.offset,
      rowsOf: (shard: number) => rows.rows(shard),
      fenced: () => this.#stepDown("another publisher leads"),
      more: () => this.#scheduleFlush(),
      failed: (error: Error) => this.#logFailure(error),
    };
    const shards = Array.from({ length: keys.shards }, (_, shard) => new ShardWriter(owner, shard));
    this.#shards.push(...shards);
    const written = { keys, table, rows, shards };
    this.#channels.set(channel, written);
    if (channel === "quote") this.#quotes = written;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    const deadline = this.#options.clock.millis() + CLOSE_TIMEOUT;
    while (this.#role === "leading" && this.#options.clock.millis() < deadline) {
      if (this.#shards.every((shard) => shard.isIdle)) break;
      this.#writeAll();
      await delay(5);
    }
    this.#isClosed = true;
    if (this.#flush) clearImmediate(this.#flush);
    clearTimeout(this.#rest);
    this.#wake?.();
    await this.#run;
    this.#faults.close();
    await this.#lease.release().catch(() => {
      // Redis is away: the lease runs out by itself.
    });
  }

  /** Stands by until the lease is free, takes over, leads until deposed; again and again. */
  async #reign(led: () => void): Promise<void> {
    let floor = 0;
    while (!this.#isClosed) {
      const epoch = await this.#tryLease(floor);
      if (epoch === undefined) {
        await this.#sleep(STANDBY_INTERVAL);
        continue;
      }
      this.#setRole("taking over");
      floor = await this.#tryTakeOver(epoch);
      if (floor > epoch || this.#isClosed) continue;
      led();
      await this.#lead();
    }
  }

  async #tryLease(floor: number): Promise<number | undefined> {
    try {
      const wall = Math.floor(this.#options.clock.micros() / 1_000);
      const epoch = await this.#lease.acquire(Math.max(floor, wall));
      if (epoch === undefined) this.#setRole("standby");
      return epoch;
    } catch (error) {
      this.#logFailure(error as Error);
      this.#setRole("waiting");
      return undefined;
    }
  }

  /** @returns the epoch when all is taken over; otherwise a larger one, with which to try again */
  async #tryTakeOver(epoch: number): Promise<number> {
    for (const shard of this.#shards) shard.reset(epoch);
    this.#epoch = epoch;
    // A large store takes longer to read than the lease lasts.
    const holding = setInterval(() => this.#hold(), HOLD_INTERVAL);
    try {
      const takeovers = Array.from(this.#channels, ([channel, written]) =>
        this.#takeOverChannel(channel, written, epoch),
      );
      const floor = Math.max(...(await Promise.all(takeovers)));
      if (floor > epoch) return floor;
      const { table } = this.#channels.get("quote") as WrittenChannel;
      this.#handover?.begin(table);
      this.#log.info({ epoch, symbols: table.knownCount }, "leading the feed");
      return epoch;
    } catch (error) {
      this.#logFailure(error as Error);
      await this.#sleep(STANDBY_INTERVAL);
      return epoch + 1;
    } finally {
      clearInterval(holding);
    }
  }

  /** @returns more than the epoch when a later one was met */
  async #takeOverChannel(channel: MarketName, written: WrittenChannel, epoch: number): Promise<number> {
    const { keys, table, rows, shards } = written;
    const { floor, known } = await takeOver({ ...this.#options, keys }, table, epoch, new BatchDecoder(channel), {
      fenced: (shard, number) => shards[shard].fenced(number),
      adopted: (row, seq) => shards[rows.of(row)].adopted(row, seq),
      differs: (row) => shards[rows.of(row)].changed(row),
    });
    if (floor > epoch) return floor;
    for (let row = 0; row < table.rows; row++) {
      if (!table.hasTicked(row)) continue;
      const shard = shards[rows.of(row)];
      if (!known.has(row)) shard.changed(row);
      shard.hasRows = true;
    }
    return epoch;
  }

  async #lead(): Promise<void> {
    this.#setRole("leading");
    let holdAt = 0;
    const { link } = this.#options;
    link.together(() => {
      for (const shard of this.#shards) shard.heartbeat();
    });
    while (this.#role === "leading" && !this.#isClosed) {
      const now = this.#options.clock.millis();
      if (now >= holdAt) {
        holdAt = now + HOLD_INTERVAL;
        this.#hold();
      }
      link.together(() => {
        for (const shard of this.#shards) shard.tend(now);
      });
      await this.#sleep(TEND_INTERVAL);
    }
  }

  #hold(): void {
    const epoch = this.#epoch;
    this.#lease.hold(epoch).then(
      (isHeld) => {
        if (!isHeld && epoch === this.#epoch) this.#stepDown("another publisher has the lease");
      },
      () => {
        // Redis is away; whoever leads when it is back is decided then, and the fence keeps it safe till then.
      },
    );
  }

  #stepDown(reason: string): void {
    if (this.#role !== "leading") return;
    this.counts.deposed++;
    this.#log.warn({ epoch: this.#epoch, reason }, "no longer leading the feed; standing by");
    this.#setRole("standby");
    this.#wake?.();
  }

  /** The connection logs its own loss. */
  #logFailure(error: Error): void {
    if (isConnectionLoss(error)) return;
    this.#faults.write("warn", { reason: error.message }, "the feed cannot be written to Redis; trying again");
  }

  #setRole(role: WriterRole): void {
    if (role === this.#role) return;
    this.#role = role;
    if (role === "standby") this.#log.info("standing by: another publisher leads the feed");
  }

  #scheduleFlush(): void {
    if (this.#rest) return;
    this.#flush ??= setImmediate(() => {
      this.#flush = undefined;
      this.#writeAll();
    });
  }

  #writeAll(): void {
    if (this.#role !== "leading") return;
    const { clock, link } = this.#options;
    const now = clock.millis();
    const rest = this.#gap.rest(now);
    if (rest > 0) {
      this.#rest ??= setTimeout(() => {
        this.#rest = undefined;
        this.#writeAll();
      }, Math.ceil(rest));
      return;
    }
    // Redis runs them one after the other, and what they publish comes to a gateway in one go as well.
    let hasWritten = false;
    link.together(() => {
      for (const shard of this.#shards) if (shard.write(now)) hasWritten = true;
    });
    if (hasWritten) this.#gap.wrote(now);
  }

  /** Waits so long, or until woken. */
  #sleep(millis: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, millis);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function delay(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}
