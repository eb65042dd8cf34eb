/** The token of this tab. It is stored only in sessionStorage, which ends with the tab. */

export const TOKEN_KEY = "tickgate.token";

/** The used part of sessionStorage. */
export interface TokenStore {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** The token in what a user has pasted, with or without quotes and `Bearer`; undefined if there is none. */
export function tokenIn(text: string): string | undefined {
  return /^["']?(?:Bearer\s+)?([\w-]+(?:\.[\w-]+){2})["']?$/i.exec(text.trim())?.[1];
}

/** A store that throws, because the browser's settings forbid it, counts as none. */
export function readToken(store: TokenStore | undefined): string | undefined {
  try {
    return tokenIn(store?.getItem(TOKEN_KEY) ?? "");
  } catch {
    return undefined;
  }
}

/** @param token undefined: removes it. @returns whether that was possible */
export function writeToken(store: TokenStore | undefined, token: string | undefined): boolean {
  try {
    if (token === undefined) store?.removeItem(TOKEN_KEY);
    else store?.setItem(TOKEN_KEY, token);
    return store !== undefined;
  } catch {
    return false;
  }
}

/** The headers of a request to the gateway. */
export function headersOf(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { Authorization: `Bearer ${token}` };
}
