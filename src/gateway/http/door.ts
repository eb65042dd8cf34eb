/** Whom the clients' port answers over HTTP, and under which names: a request is admitted here before anything is done for it. */
import type { HttpRequest, HttpResponse } from "uWebSockets.js";
import type { Clock } from "../../base/clock.ts";
import type { RateLimitedLog } from "../../log/rate_limited_log.ts";
import type { Settings } from "../../settings/settings.ts";
import type { GatewayCounts } from "../counts.ts";
import { addressKey, type TrustedProxies } from "./address.ts";
import { type Head, HttpAnswers } from "./answers.ts";
import { type Account, HttpBudget, type HttpLimits, type HttpRefusal, type Refused } from "./budget.ts";
import { hostAllowed, originAllowed } from "./origin.ts";
import { headersOf, type RequestHeaders, senderOf } from "./request_headers.ts";

/** How much of a stranger's text is sent back. */
const SHOWN_LENGTH = 255;

/** A request that may be answered. */
export interface Admitted {
  readonly res: HttpResponse;
  readonly headers: RequestHeaders;
  /** False for a HEAD. */
  readonly withBody: boolean;
  readonly query: string;
  /** For the log. */
  readonly address: string;
  /** What the answer is charged to. */
  readonly account: Account;
}

/** What the door needs of the gateway. */
export interface DoorContext {
  readonly clock: Clock;
  readonly counts: GatewayCounts;
  readonly events: RateLimitedLog;
  readonly settings: Pick<Settings, "origins" | keyof HttpLimits>;
}

export class HttpDoor {
  readonly budget: HttpBudget;
  readonly answers: HttpAnswers;
  readonly #context: DoorContext;
  readonly #proxies: TrustedProxies;

  constructor(context: DoorContext, proxies: TrustedProxies) {
    this.#context = context;
    this.#proxies = proxies;
    this.budget = new HttpBudget(context.settings, context.clock.millis());
    this.answers = new HttpAnswers(this.budget, context.clock);
  }

  /** A handler that is only called for requests that may be answered. */
  handle(answer: (request: Admitted) => void): (res: HttpResponse, req: HttpRequest) => void {
    return (res, req) => {
      const request = this.#admit(res, req);
      if (request) answer(request);
    };
  }

  /** As {@link handle}, for answers that other sites' pages must not read. */
  handleData(answer: (request: Admitted) => void): (res: HttpResponse, req: HttpRequest) => void {
    return this.handle((request) => {
      const host = request.headers.get("host") ?? "";
      if (hostAllowed(this.#context.settings.origins, host)) return answer(request);
      this.#count("host", request.address);
      const message = `nothing is given out under the name ${host.slice(0, SHOWN_LENGTH)}: list it with --origin`;
      this.answers.json(
        request.res,
        { status: "403 Forbidden", headers: NOT_STORED },
        { error: message },
        request.withBody,
      );
    });
  }

  /** The headers of an answer with data: which pages may read it, and that nobody keeps it. */
  dataHeaders({ headers }: Admitted): Record<string, string> {
    const origin = headers.get("origin") ?? "";
    const { origins } = this.#context.settings;
    if (origin === "" || !originAllowed(origins, origin, headers.get("host") ?? "")) return { ...NOT_STORED };
    return { ...NOT_STORED, "Access-Control-Allow-Origin": origin, Vary: "Origin" };
  }

  /** Refuses a request that was admitted. */
  refuse({ res, address, withBody }: Admitted, refused: Refused): void {
    this.#count(refused.reason, address);
    this.answers.refuse(res, refused, withBody);
  }

  /** Answers an upgrade that is refused, which costs as much as a request; not at once where the address asks too often. */
  refuseUpgrade(res: HttpResponse, head: Omit<Head, "type">, body: unknown, address: string): void {
    const now = this.#context.clock.millis();
    this.#context.counts.httpRequests++;
    const isTooOften = this.budget.admit(this.budget.of(address, now), now) !== undefined;
    if (isTooOften) this.answers.jsonLater(res, head, body);
    else this.answers.json(res, head, body);
  }

  #admit(res: HttpResponse, req: HttpRequest): Admitted | undefined {
    const now = this.#context.clock.millis();
    const headers = headersOf(req);
    const address = senderOf(res, headers, this.#proxies).client;
    const account = this.budget.of(addressKey(address), now);
    const withBody = req.getCaseSensitiveMethod() !== "HEAD";
    this.#context.counts.httpRequests++;
    const request = { res, headers, withBody, query: req.getQuery(), address, account };
    const refused = this.budget.admit(account, now);
    if (!refused) return request;
    this.refuse(request, refused);
    return undefined;
  }

  #count(reason: HttpRefusal, address: string): void {
    this.#context.counts.httpRefused[reason]++;
    this.#context.events.write("warn", { reason, address }, "refusing an HTTP request", reason);
  }
}

const NOT_STORED = { "Cache-Control": "no-store" };
