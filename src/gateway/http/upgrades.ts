/** Decides which WebSocket upgrades are accepted, before there is a session. */
import type { HttpRequest, HttpResponse } from "uWebSockets.js";
import type { Identity } from "../../identity/identity.ts";
import { SUBPROTOCOLS, type Subprotocol } from "../../protocol/messages.ts";
import type { Settings } from "../../settings/settings.ts";
import type { ConnectedIdentities } from "../access/connected_identities.ts";
import { countOne, type Refusal } from "../counts.ts";
import type { SocketData } from "../outbound/socket.ts";
import type { Session } from "../session/session.ts";
import { addressKey, shortAgent, type TrustedProxies } from "./address.ts";
import type { AdmissionParts, HttpAdmission } from "./admission.ts";
import { checkHandshake, chooseSubprotocol, offeredSubprotocols } from "./handshake.ts";
import { LateUpgrades } from "./late_upgrades.ts";
import type { OpenSockets } from "./open_sockets.ts";
import { isOriginAllowed } from "./origin.ts";
import { headersOf, type RequestHeaders, senderOf } from "./request_headers.ts";
import { RETRY_AFTER, type RequestTokenParts, tokenOf, tokenRefused } from "./request_token.ts";

/** The most characters of a client's origin that the answer repeats. */
const SHOWN_LENGTH = 255;

/** What the server keeps with a socket. */
export interface ServerSocketData extends SocketData {
  session: Session | undefined;
}

/** Why an upgrade is refused. */
interface RefusedUpgrade {
  readonly status: string;
  readonly reason: Refusal;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An upgrade that may be accepted. */
interface Upgrade {
  readonly res: HttpResponse;
  readonly headers: RequestHeaders;
  readonly socketContext: Parameters<HttpResponse["upgrade"]>[4];
  /** The address at the other end of the socket, and the client's. */
  readonly peer: string;
  readonly client: string;
  readonly agent: string;
  /** Those that are offered, and the one that is chosen. */
  readonly offered: readonly string[];
  readonly subprotocol: Subprotocol;
}

export interface UpgradesParts extends AdmissionParts, RequestTokenParts {
  readonly identities: ConnectedIdentities;
  readonly settings: AdmissionParts["settings"] &
    RequestTokenParts["settings"] &
    Pick<Settings, "maxConnections" | "maxConnectionsPerAddress">;
}

export class Upgrades {
  readonly #parts: UpgradesParts;
  readonly #proxies: TrustedProxies;
  readonly #sockets: OpenSockets;
  readonly #admission: HttpAdmission;
  /** Connections and upgrades under way, by {@link addressKey}. */
  readonly #perAddress = new Map<string, number>();
  /** All of them. */
  #count = 0;
  #isDraining = false;
  readonly #late = new LateUpgrades();

  constructor(parts: UpgradesParts, proxies: TrustedProxies, sockets: OpenSockets, admission: HttpAdmission) {
    this.#parts = parts;
    this.#proxies = proxies;
    this.#sockets = sockets;
    this.#admission = admission;
  }

  /** Resolves when upgrades with tokens are possible. */
  async start(): Promise<void> {
    if (this.#parts.authority.mode !== "none") await this.#late.start();
  }

  close(): void {
    this.#late.close();
  }

  /** Refuses all from now on. */
  refuseAll(): void {
    this.#isDraining = true;
  }

  /** The handler for `app.ws`. */
  handle(res: HttpResponse, req: HttpRequest, socketContext: Upgrade["socketContext"]): void {
    const headers = headersOf(req);
    const { peer, client } = senderOf(res, headers, this.#proxies);
    const offered = offeredSubprotocols(headers);
    const subprotocol = chooseSubprotocol(offered);
    const agent = shortAgent(headers.get("user-agent") ?? "");
    const token = tokenOf(headers, req.getQuery() ?? "", this.#parts);
    const refusal = this.#refusal(headers, client, subprotocol, token === undefined);
    const upgrade = {
      res,
      headers,
      socketContext,
      peer,
      client,
      agent,
      offered,
      subprotocol: subprotocol as Subprotocol,
    };
    if (refusal) return this.#refuse(upgrade, refusal);
    this.#take(addressKey(client));
    if (token === undefined) this.#accept(upgrade, undefined);
    else this.#verify(upgrade, token);
  }

  /** A WebSocket has closed. @param address the client's */
  release(address: string): void {
    const key = addressKey(address);
    this.#count--;
    const count = this.#perAddress.get(key) ?? 0;
    if (count > 1) this.#perAddress.set(key, count - 1);
    else this.#perAddress.delete(key);
  }

  #take(key: string): void {
    this.#count++;
    this.#perAddress.set(key, (this.#perAddress.get(key) ?? 0) + 1);
  }

  #verify(upgrade: Upgrade, token: string): void {
    const { res, client } = upgrade;
    let isAborted = false;
    res.onAborted(() => {
      isAborted = true;
      this.release(client);
    });
    void this.#parts.authority.authenticate(token).then((identity) => {
      if (isAborted) return;
      const refusal = this.#isDraining ? DRAINING : this.#identityRefusal(identity, client);
      if (!refusal && this.#late.run(() => this.#accept(upgrade, identity as Identity))) return;
      this.release(client);
      this.#refuse(upgrade, refusal ?? NOT_NOW);
    });
  }

  #identityRefusal(
    identity: Awaited<ReturnType<RequestTokenParts["authority"]["authenticate"]>>,
    address: string,
  ): RefusedUpgrade | undefined {
    if ("refused" in identity) {
      const { status, headers, message } = tokenRefused(identity.refused, identity.message);
      return { status, headers, message, reason: "token" };
    }
    return this.#parts.identities.hasRoom(identity, address) ? undefined : TOO_MANY;
  }

  #accept(
    { res, headers, socketContext, peer, client, agent, offered, subprotocol }: Upgrade,
    identity?: Identity,
  ): void {
    this.#sockets.countUpgrade(peer);
    res.upgrade<ServerSocketData>(
      { subprotocol, address: client, agent, identity, session: undefined },
      headers.get("sec-websocket-key") ?? "",
      offered.length === 0 ? "" : subprotocol,
      headers.get("sec-websocket-extensions") ?? "",
      socketContext,
    );
  }

  #refuse({ res, client, agent }: Upgrade, { status, reason, message, headers }: RefusedUpgrade): void {
    countOne(this.#parts.counts.refused, reason);
    // The operator can raise a limit, so that is a warning; a client's mistake is information.
    const isLimit = reason === "connections" || reason === "address" || reason === "subject";
    this.#parts.events.write(
      isLimit ? "warn" : "info",
      { reason, address: client, agent },
      "refusing a connection",
      reason,
    );
    const retry: Record<string, string> = status.startsWith("503") ? { "Retry-After": String(RETRY_AFTER) } : {};
    const head = { status, headers: { ...headers, ...retry } };
    this.#admission.refuseUpgrade(res, head, { error: message }, addressKey(client));
  }

  /** @param address the client's @param isAnonymous whether it has sent no token */
  #refusal(
    headers: RequestHeaders,
    address: string,
    subprotocol: Subprotocol | undefined,
    isAnonymous: boolean,
  ): RefusedUpgrade | undefined {
    const { authority, identities } = this.#parts;
    const { origins, maxConnections, maxConnectionsPerAddress } = this.#parts.settings;
    if (this.#isDraining) return DRAINING;
    const bad = checkHandshake(headers);
    if (bad) return { ...bad, reason: "handshake" };
    const origin = headers.get("origin") ?? "";
    if (origin !== "" && !isOriginAllowed(origins, origin, headers.get("host") ?? ""))
      return {
        status: "403 Forbidden",
        reason: "origin",
        message: `the origin ${origin.slice(0, SHOWN_LENGTH)} is not allowed`,
      };
    if (!subprotocol)
      return {
        status: "400 Bad Request",
        reason: "subprotocol",
        message: `no subprotocol that is spoken here was offered; there are ${SUBPROTOCOLS.join(" and ")}`,
      };
    if (this.#count >= maxConnections)
      return { status: "503 Service Unavailable", reason: "connections", message: "this node is full" };
    if ((this.#perAddress.get(addressKey(address)) ?? 0) >= maxConnectionsPerAddress)
      return {
        status: "503 Service Unavailable",
        reason: "address",
        message: "too many connections from this address",
      };
    const { anonymous } = authority;
    if (isAnonymous && anonymous && !identities.hasRoom(anonymous, address)) return TOO_MANY;
    return undefined;
  }
}

const DRAINING: RefusedUpgrade = {
  status: "503 Service Unavailable",
  reason: "draining",
  message: "this node is going; try another",
};
const NOT_NOW: RefusedUpgrade = {
  status: "503 Service Unavailable",
  reason: "token",
  message: "tokens cannot be taken now; try again",
};
const TOO_MANY: RefusedUpgrade = {
  status: "503 Service Unavailable",
  reason: "subject",
  message: "too many connections of this client",
};
