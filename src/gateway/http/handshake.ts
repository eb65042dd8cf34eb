/** Checks the opening handshake (RFC 6455, section 4.2.1); uWebSockets.js checks only the length of the key. */
import { SUBPROTOCOLS, type Subprotocol } from "../../protocol/messages.ts";

/** 16 bytes in base64: the last digit holds two bits. */
const KEY = /^[A-Za-z\d+/]{21}[AQgw]==$/;
const VERSION = "13";
/** An offered subprotocol with this prefix is a token: it is never sent back and never logged. */
const TOKEN = "bearer.";

/** Why a handshake is refused. */
export interface BadHandshake {
  readonly status: string;
  readonly message: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** @param headers by name in lower case; headers of one name are joined with commas */
export function checkHandshake(headers: ReadonlyMap<string, string>): BadHandshake | undefined {
  if (!listOf(headers.get("upgrade")).includes("websocket") || !listOf(headers.get("connection")).includes("upgrade"))
    return {
      status: "426 Upgrade Required",
      message: "a WebSocket upgrade is expected here",
      headers: { Upgrade: "websocket", Connection: "Upgrade" },
    };
  if (headers.get("sec-websocket-version") !== VERSION)
    return {
      status: "426 Upgrade Required",
      message: "version 13 of the WebSocket protocol is spoken here",
      headers: { Upgrade: "websocket", Connection: "Upgrade", "Sec-WebSocket-Version": VERSION },
    };
  if (!KEY.test(headers.get("sec-websocket-key") ?? ""))
    return { status: "400 Bad Request", message: "Sec-WebSocket-Key must be 16 bytes in base64", headers: {} };
  return undefined;
}

/** The subprotocols that a client offers, without tokens. */
export function offeredSubprotocols(headers: ReadonlyMap<string, string>): readonly string[] {
  return protocolsOf(headers).filter((name) => name !== "" && !name.startsWith(TOKEN));
}

/** The first token that a client offers as a subprotocol. */
export function offeredToken(headers: ReadonlyMap<string, string>): string | undefined {
  return protocolsOf(headers)
    .find((name) => name.startsWith(TOKEN))
    ?.slice(TOKEN.length);
}

function protocolsOf(headers: ReadonlyMap<string, string>): readonly string[] {
  return (headers.get("sec-websocket-protocol") ?? "").split(",").map((name) => name.trim());
}

/** The client's first subprotocol that the gateway supports; the default when it offers none. */
export function chooseSubprotocol(offered: readonly string[]): Subprotocol | undefined {
  if (offered.length === 0) return SUBPROTOCOLS[0];
  for (const name of offered) {
    const known = SUBPROTOCOLS.find((subprotocol) => subprotocol === name);
    if (known) return known;
  }
  return undefined;
}

function listOf(header = ""): string[] {
  return header.split(",").map((word) => word.trim().toLowerCase());
}
