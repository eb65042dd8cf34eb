/** A node of `tickgate top`: its last report, or why it does not answer. */
import { type NodeReport, REPORT_VERSION } from "../../admin/status/report.ts";

/** The longest time for an answer, ms. */
const TIMEOUT = 2_000;
/** The largest report, bytes: a thousand clients and a thousand shards are a tenth of it. */
const MAX_REPORT_BYTES = 8_388_608;

export class TopNode {
  /** The address of its admin port: `http://host:port`. */
  readonly url: string;
  /** Its last report; it is kept when the node no longer answers. */
  report: NodeReport | undefined;
  /** Why it does not answer; undefined when it does. */
  failure: string | undefined;
  /** When it first did not answer, milliseconds of the monotonic clock. */
  failingSince: number | undefined;

  readonly #headers: Readonly<Record<string, string>>;

  /** @param token of the admin port, where one is asked for */
  constructor(url: string, token?: string) {
    this.url = url;
    this.#headers = tokenHeader(token);
  }

  /** Its name, or its address before the first report. */
  get name(): string {
    return this.report?.node ?? this.url.replace(/^https?:\/\//, "");
  }

  /** Its name, if it is known, and its address. */
  get location(): string {
    return this.report ? `${this.report.node} at ${this.url}` : this.url;
  }

  /** Requests the report once. Never rejects. */
  async refresh(): Promise<void> {
    const asked = performance.now();
    try {
      this.report = await fetchReport(this.url, this.#headers);
      this.failure = undefined;
      this.failingSince = undefined;
    } catch (error) {
      this.failure = reasonOf(error);
      this.failingSince ??= asked;
    }
  }
}

/** What the user can do about an admin port that answers 401. */
export const NO_TOKEN = "it asks for a token: TICKGATE_ADMIN_TOKEN";

/** The header of a request with a token. */
export function tokenHeader(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { Authorization: `Bearer ${token}` };
}

async function fetchReport(url: string, headers: Readonly<Record<string, string>>): Promise<NodeReport> {
  const signal = AbortSignal.timeout(TIMEOUT);
  const response = await fetch(`${url}/status.json`, { signal, headers });
  if (response.status === 401) throw new Error(NO_TOKEN);
  if (!response.ok) throw new Error(`it answers ${response.status}: is it the admin port of a Tickgate node?`);
  const report = JSON.parse(await readText(response, MAX_REPORT_BYTES)) as NodeReport;
  if (report?.reportVersion !== REPORT_VERSION) throw new Error("it answers, but not as this version of Tickgate does");
  return report;
}

/**
 * Reads the body of an answer.
 * @throws Error when it has more than `most` bytes
 */
export async function readText(response: Response, most: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > most) throw new Error("its answer does not end");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** Returns the reason of a failure: the error of `fetch` has it only in its cause. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return `no answer within ${TIMEOUT / 1_000} s`;
  if (error instanceof SyntaxError) return "what it answers is no JSON: is it the admin port of a Tickgate node?";
  const cause = error.cause instanceof AggregateError ? error.cause.errors[0] : error.cause;
  return cause instanceof Error ? cause.message : error.message;
}
