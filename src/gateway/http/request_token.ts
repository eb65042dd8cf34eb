/** Finds the token of a request (RFC 6750, and the subprotocol `bearer.TOKEN`), and the identity behind it. */
import type { Authority, Identity } from "../../identity/identity.ts";
import type { Settings } from "../../settings/settings.ts";
import type { AdmittedRequest, HttpAdmission } from "./admission.ts";
import { offeredToken } from "./handshake.ts";
import type { RequestHeaders } from "./request_headers.ts";

const QUERY_PARAMETER = "access_token";
/** The `Retry-After` of a refusal that may not last, seconds. */
export const RETRY_AFTER = 1;

export interface RequestTokenParts {
  readonly authority: Authority;
  readonly settings: Pick<Settings, "tokenInQuery">;
}

/** @returns the token, undefined where there is none or tokens are not read */
export function tokenOf(headers: RequestHeaders, query: string, parts: RequestTokenParts): string | undefined {
  if (parts.authority.mode === "none") return undefined;
  const [, inHeader] = /^Bearer(?=\s|$)\s*(.*)$/i.exec(headers.get("authorization") ?? "") ?? [];
  const inQuery = parts.settings.tokenInQuery ? new URLSearchParams(query).get(QUERY_PARAMETER) : null;
  return inHeader ?? offeredToken(headers) ?? inQuery ?? undefined;
}

/** An answer to a request whose token is missing, not valid, or cannot be verified now. */
export interface TokenAnswer {
  readonly status: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly message: string;
}

const TOKEN_MISSING: TokenAnswer = {
  status: "401 Unauthorized",
  headers: { "WWW-Authenticate": "Bearer" },
  message: "a token is required",
};

export function tokenRefused(refused: "invalid_token" | "unavailable", message: string): TokenAnswer {
  return refused === "unavailable"
    ? { status: "503 Service Unavailable", headers: { "Retry-After": String(RETRY_AFTER) }, message }
    : { status: "401 Unauthorized", headers: { "WWW-Authenticate": 'Bearer error="invalid_token"' }, message };
}

/** Calls `answer` with the sender's identity, or refuses the request. */
export function identifyRequest(
  request: AdmittedRequest,
  parts: RequestTokenParts,
  admission: HttpAdmission,
  answer: (identity: Identity) => void,
): void {
  const { res, headers, withBody } = request;
  const refuse = ({ status, headers, message }: TokenAnswer) =>
    admission.responses.sendJson(
      res,
      { status, headers: { ...admission.dataHeaders(request), ...headers } },
      { error: message },
      withBody,
    );
  const token = tokenOf(headers, request.query, parts);
  const { authority } = parts;
  if (token === undefined) {
    if (authority.anonymous) answer(authority.anonymous);
    else refuse(TOKEN_MISSING);
    return;
  }
  let isAborted = false;
  res.onAborted(() => {
    isAborted = true;
  });
  void authority.authenticate(token).then((identity) => {
    if (isAborted) return;
    if ("refused" in identity) refuse(tokenRefused(identity.refused, identity.message));
    else answer(identity);
  });
}
