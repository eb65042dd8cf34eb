/**
 * Decides which HTTP requests are answered, by their cost and by the host name they were sent to, before any work is
 * done.
 */
import type { HttpRequest, HttpResponse } from "uWebSockets.js";
import type { Clock } from "../../base/clock.ts";
import type { RateLimitedLog } from "../../log/rate_limited_log.ts";
import type { Settings } from "../../settings/settings.ts";
import type { GatewayCounts } from "../counts.ts";
import { addressKey, type TrustedProxies } from "./address.ts";
import { type Account, type BudgetRefusal, HttpBudget, type HttpLimits, type HttpRefusal } from "./budget.ts";
import { isHostAllowed, isOriginAllowed } from "./origin.ts";
import { headersOf, type RequestHeaders, senderOf } from "./request_headers.ts";
import { type Head, ResponseWriter } from "./response_writer.ts";

/** The most characters of a client's text that an answer repeats. */
const SHOWN_LENGTH = 255;

/** A request that may be answered. */
export interface AdmittedRequest {
  readonly res: HttpResponse;
  readonly headers: RequestHeaders;
  /** False for a HEAD. */
  readonly withBody: boolean;
  readonly query: string;
  /** For the log. */
  readonly address: string;
  /** The account that pays for the answer. */
  readonly account: Account;
}

/** The parts of the gateway that admission uses. */
export interface AdmissionParts {
  readonly clock: Clock;
  readonly counts: GatewayCounts;
  readonly events: RateLimitedLog;
  readonly settings: Pick<Settings, "hstsMaxAge" | "origins" | "tlsCert" | keyof HttpLimits>;
}

export class HttpAdmission {
  readonly budget: HttpBudget;
  readonly responses: ResponseWriter;
  readonly #context: AdmissionParts;
  readonly #proxies: TrustedProxies;

  constructor(context: AdmissionParts, proxies: TrustedProxies) {
    this.#context = context;
    this.#proxies = proxies;
    this.budget = new HttpBudget(context.settings, context.clock.millis());
    const { hstsMaxAge, tlsCert } = context.settings;
    const headers: Record<string, string> =
      tlsCert === "" ? {} : { "Strict-Transport-Security": `max-age=${hstsMaxAge}` };
    this.responses = new ResponseWriter(this.budget, context.clock, headers);
  }

  /** Makes a handler for uWebSockets.js that calls `answer` only for admitted requests. */
  handler(answer: (request: AdmittedRequest) => void): (res: HttpResponse, req: HttpRequest) => void {
    return (res, req) => {
      const request = this.#admit(res, req);
      if (request) answer(request);
    };
  }

  /** As {@link handler}, for data that the pages of other sites must not read. */
  dataHandler(answer: (request: AdmittedRequest) => void): (res: HttpResponse, req: HttpRequest) => void {
    return this.handler((request) => {
      const host = request.headers.get("host") ?? "";
      if (isHostAllowed(this.#context.settings.origins, host)) return answer(request);
      this.#countRefusal("host", request.address);
      const message = `nothing is given out under the name ${host.slice(0, SHOWN_LENGTH)}: list it with --origin`;
      this.responses.sendJson(
        request.res,
        { status: "403 Forbidden", headers: NOT_STORED },
        { error: message },
        request.withBody,
      );
    });
  }

  /** Answers what browsers ask before they send a request of another site's page that has a token. */
  preflightHandler(): (res: HttpResponse, req: HttpRequest) => void {
    return this.dataHandler((request) => {
      const headers = { ...this.dataHeaders(request), ...PREFLIGHT };
      // Not 204: that must not have the empty line of an empty body.
      this.responses.send(request.res, { status: "200 OK", type: "text/plain", headers }, "");
    });
  }

  /** The headers of an answer with data: which pages may read it, and that no cache keeps it. */
  dataHeaders({ headers }: AdmittedRequest): Record<string, string> {
    const origin = headers.get("origin") ?? "";
    const { origins } = this.#context.settings;
    if (origin === "" || !isOriginAllowed(origins, origin, headers.get("host") ?? "")) return { ...NOT_STORED };
    return { ...NOT_STORED, "Access-Control-Allow-Origin": origin, Vary: "Origin" };
  }

  /** Refuses a request that was admitted. */
  refuse({ res, address, withBody }: AdmittedRequest, refused: BudgetRefusal): void {
    this.#countRefusal(refused.reason, address);
    this.responses.refuse(res, refused, withBody);
  }

  /**
   * Answers a refused upgrade. It costs as much as a request; an address over its limit gets the answer with a delay.
   */
  refuseUpgrade(res: HttpResponse, head: Omit<Head, "type">, body: unknown, address: string): void {
    const now = this.#context.clock.millis();
    this.#context.counts.httpRequests++;
    const isOverLimit = this.budget.admit(this.budget.accountOf(address, now), now) !== undefined;
    if (isOverLimit) this.responses.sendJsonDelayed(res, head, body);
    else this.responses.sendJson(res, head, body);
  }

  #admit(res: HttpResponse, req: HttpRequest): AdmittedRequest | undefined {
    const now = this.#context.clock.millis();
    const headers = headersOf(req);
    const address = senderOf(res, headers, this.#proxies).client;
    const account = this.budget.accountOf(addressKey(address), now);
    const withBody = req.getCaseSensitiveMethod() !== "HEAD";
    this.#context.counts.httpRequests++;
    const request = { res, headers, withBody, query: req.getQuery(), address, account };
    const refused = this.budget.admit(account, now);
    if (!refused) return request;
    this.refuse(request, refused);
    return undefined;
  }

  #countRefusal(reason: HttpRefusal, address: string): void {
    this.#context.counts.httpRefused[reason]++;
    this.#context.events.write("warn", { reason, address }, "refusing an HTTP request", reason);
  }
}

/** What the pages of allowed origins may send; the answer is valid for ten minutes. */
const PREFLIGHT = {
  "Access-Control-Allow-Methods": "GET, HEAD",
  "Access-Control-Allow-Headers": "Authorization",
  "Access-Control-Max-Age": "600",
};
const NOT_STORED = { "Cache-Control": "no-store" };
