/**
 * The running traces of an admin port. Their number is limited for each client and in total; the oldest is ended for a
 * new one.
 */

/** One user needs one or two terminals. */
const MOST_PER_CLIENT = 4;
/** The limit of a node; see tracer.ts. */
const MOST = 8;
/** The longest trace, ms: a forgotten one ends by itself. */
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
   * Registers a trace, and ends another one if there are too many.
   * @param end ends the trace: called once, after its time or for a newer trace, unless it ended by itself
   * @returns a function to call when the trace ended by itself
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

  /** The oldest trace of the client with the most. */
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
