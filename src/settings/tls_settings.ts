/** Settings of encryption: the certificate of the clients' port and of the admin port. */
import { integer, type Kind, text } from "./option.ts";
import { GATEWAY, SERVERS, setting } from "./setting.ts";

const FILE = text("FILE", "a file name", /^/);

const port = integer(0, 65_535);
const OPTIONAL_PORT: Kind<number | ""> = {
  arg: port.arg,
  range: `empty or ${port.range}`,
  read: (text) => (text === "" ? text : port.read(text)),
};

export const TLS_SETTINGS = {
  tlsCert: setting(
    SERVERS,
    "tls-cert",
    FILE,
    "",
    "The PEM file with the certificate, and those between it and the root. With it and --tls-key, the clients' port and the admin port speak TLS only; both files are read again when they change",
  ),
  tlsKey: setting(
    SERVERS,
    "tls-key",
    FILE,
    "",
    "The PEM file with the certificate's private key, without a passphrase",
  ),
  hstsMaxAge: setting(
    GATEWAY,
    "hsts-max-age",
    integer(0, 63_072_000, "seconds"),
    2_592_000,
    "How long browsers refuse to reach this host without TLS (Strict-Transport-Security); each answer renews it. 0 takes it back. A month protects who returns within one, and no host is locked for longer after a mistake",
  ),
  redirectPort: setting(
    GATEWAY,
    "redirect-port",
    OPTIONAL_PORT,
    "",
    "A port at --host that sends plain HTTP to the https address of the clients' port, and serves nothing else; needs --tls-cert. Empty for none, 0 takes a free one",
  ),
  redirectTo: setting(
    GATEWAY,
    "redirect-to",
    integer(0, 65_535),
    0,
    "The port in these addresses, where clients reach another one than --port, such as 443; 0 for --port",
  ),
} as const;
