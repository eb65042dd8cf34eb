/**
 * The traces under way at an admin port: so many for one client and in all, of which the oldest makes room for a new
 * one.
 */

/** A person has one or two terminals. */
const MOST_PER_CLIENT = 4;
/** What a node takes; see tracer.ts. */
const MOST = 8;
/** How long a trace may take, ms: one that was forgotten ends by itself. */
const TRACE_TIME = 600_000;

interface Trace {
  readonly client: string;
  readonly end: () => void;
}

export class AdminTraces {
  /** The oldest first. */
  readonly #traces = new Set<Trace>();

  get size(): number {
    return this.#traces.size;
  }

  /**
   * Makes room for a trace.
   * @param end ends it: called once, when its time is up or another one needs its room, unless it ended by itself
   * @returns to be called when it has ended by itself
   */
  add(client: string, end: () => void): () => void {
    const own = [...this.#traces].filter((trace) => trace.client === client);
    if (own.length >= MOST_PER_CLIENT) this.#end(own[0]);
    else if (this.#traces.size >= MOST) this.#end(this.#oldest());
    const timer = setTimeout(() => this.#end(trace), TRACE_TIME).unref();
    const trace = {
      client,
      end: () => {
        clearTimeout(timer);
        end();
      },
    };
    this.#traces.add(trace);
    return () => {
      clearTimeout(timer);
      this.#traces.delete(trace);
    };
  }

  /** The oldest of the client that has the most. */
  #oldest(): Trace {
    const counts = new Map<string, number>();
    for (const { client } of this.#traces) counts.set(client, (counts.get(client) ?? 0) + 1);
    const most = Math.max(...counts.values());
    return [...this.#traces].find(({ client }) => counts.get(client) === most) as Trace;
  }

  #end(trace: Trace): void {
    if (this.#traces.delete(trace)) trace.end();
  }
}
