/** Removes secrets from the log, error messages and printed addresses. */
import type { Settings } from "../settings/settings.ts";

/** The settings that hold secrets. */
export type SecretSettings = Pick<Settings, "adminToken" | "jwtSecret" | "redisPassword" | "redisUrl">;

/** The replacement of a secret. */
const HIDDEN = "***";
/** Shorter secrets are not replaced: they would match half of the log. */
const SHORTEST = 4;

/** User and password of an address, percent-encoded or not. */
const LOGIN = /(:\/\/|%3a%2f%2f)[^\s/"'?#]*(@|%40)/gi;
/**
 * The same where characters of the password that should be percent-encoded are not: up to the last `@`. Not of every
 * address: that of a file in `node_modules` has one too.
 */
const RAW_LOGIN = /((?:rediss?(?:\+\w+)?|wss?|https?):\/\/)[^\s"']*@/gi;
/** A parameter of an address whose name says what it is. */
const PARAMETER =
  /((?:[?&;]|%3f|%26)(?:[\w.-]*(?:token|key|secret|password|passwd|pwd|signature|credential|auth)[\w.-]*)(?:=|%3d))(?:(?!%26)[^&\s"'#])+/gi;

/** A text without the logins and keys of the addresses in it. */
export function withoutSecrets(text: string): string {
  return text.replace(RAW_LOGIN, `$1${HIDDEN}@`).replace(LOGIN, `$1${HIDDEN}$2`).replace(PARAMETER, `$1${HIDDEN}`);
}

/**
 * Creates a function that removes secrets from texts: logins and keys of addresses, and the secrets of the settings at
 * any position.
 * @returns the function; a call costs some microseconds
 */
export function secretsRemover(settings: SecretSettings): (text: string) => string {
  // Also in the escaped form of JSON.
  const known = [...new Set(secretsOf(settings).flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)]))]
    .filter((secret) => secret.length >= SHORTEST)
    .sort((a, b) => b.length - a.length);
  return (text) => {
    let shown = withoutSecrets(text);
    for (const secret of known) shown = shown.replaceAll(secret, HIDDEN);
    return shown;
  };
}

function secretsOf({ redisUrl, redisPassword, jwtSecret, adminToken }: SecretSettings): string[] {
  const [, login = ""] = /:\/\/([^@/?]*)@/.exec(redisUrl) ?? [];
  const [, sentinel = ""] = /[?&]sentinel-password=([^&]*)/.exec(redisUrl) ?? [];
  const written = [login.slice(login.indexOf(":") + 1), sentinel];
  const meant = [
    redisPassword,
    jwtSecret,
    ...adminToken,
    ...written.map(decoded),
    decoded(sentinel.replaceAll("+", " ")),
  ];
  return [...written, ...meant, ...meant.map(encodeURIComponent)];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
