/** Settings of encryption: the certificate of the clients' port and of the admin port. */
import { integer, text } from "./option.ts";
import { GATEWAY, SERVERS, setting } from "./setting.ts";

const FILE = text("FILE", "a file name", /^/);

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
} as const;
