/** Settings of the admin port: where it listens, and who may read it. */
import { boolean, integer, list, text } from "./option.ts";
import { ADDRESS, SERVERS, secret, setting } from "./setting.ts";

/** A token of the admin port: random bytes in hexadecimal or Base64, which nobody guesses. */
export const ADMIN_TOKEN = /^[\x21-\x7e]{32,512}$/;
const FILE = text("FILE", "a file name", /^/);

export const ADMIN_SETTINGS = {
  adminHost: setting(
    SERVERS,
    "admin-host",
    ADDRESS,
    "127.0.0.1",
    "The address that the admin port listens on; 0.0.0.0 for all, where balancers and scrapers come from other machines",
  ),
  adminPort: setting(
    SERVERS,
    "admin-port",
    integer(0, 65_535),
    9090,
    "The port for /status, /healthz, /readyz and /metrics; 0 takes a free one",
  ),
  adminNames: setting(
    SERVERS,
    "admin-name",
    list(text("NAME", "a host name", /^[A-Za-z\d_][\w.-]{0,252}$/), /[\s,]+/),
    [] as string[],
    "A name under which the admin port may be asked, besides numbers and localhost; repeatable. Under any other name only health is told: it may be that of a web page that has its name lead here",
    "TICKGATE_ADMIN_NAMES",
  ),
  adminToken: secret(
    [...SERVERS, "top", "trace"],
    "admin-token",
    list(text("TOKEN", "32 to 512 characters without spaces", ADMIN_TOKEN), /\s+/),
    [] as string[],
    "The token without which the admin port shows only health: Authorization: Bearer TOKEN, or the password in a browser. Several are accepted while they are exchanged; top and trace send the first. Give it in the environment, where others do not see it",
  ),
  adminTokenFile: setting(
    SERVERS,
    "admin-token-file",
    FILE,
    "",
    "The same from a file, one token a line; it is read again when it changes",
  ),
  adminClientCa: setting(
    SERVERS,
    "admin-client-ca",
    FILE,
    "",
    "The PEM file with the authority whose client certificates the admin port accepts instead of a token; needs --tls-cert",
  ),
  adminOpen: setting(
    SERVERS,
    "admin-open",
    boolean(),
    false,
    "Serves the admin port without token or client certificate at an --admin-host that is not loopback: for a network that nobody else reaches",
  ),
} as const;
