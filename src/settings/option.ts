/**
 * Values that users write as text: settings (setting.ts) and the options of a feed (feed/spec.ts). A kind parses the
 * text and describes the accepted range, so that every error names the range.
 */
import { isIP } from "node:net";

/** A mistake of the user: shown as one line without a stack; the process ends with exit code 2. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** A kind of value: how it is parsed from text. */
export interface Kind<T> {
  /** The placeholder in the help: `N`, `URL`, `a|b`. */
  readonly arg: string;
  /** The accepted values, as the text after "must be". */
  readonly range: string;
  /** The value, or undefined when the text is not one. */
  read(text: string): T | undefined;
}

/** A whole number of some unit, from `min` to `max`. */
export function integer(min: number, max: number, unit = ""): Kind<number> {
  return {
    arg: "N",
    range: `a whole number from ${min} to ${max}${unit && ` (${unit})`}`,
    read(text) {
      const value = /^[+-]?\d{1,15}$/.test(text.trim()) ? Number(text) : Number.NaN;
      return value >= min && value <= max ? value : undefined;
    },
  };
}

/** A number of some unit, from `min` to `max`, which may have a fraction. */
export function decimal(min: number, max: number, unit = ""): Kind<number> {
  return {
    arg: "N",
    range: `a number from ${min} to ${max}${unit && ` (${unit})`}`,
    read(text) {
      const value = text.trim() === "" ? Number.NaN : Number(text);
      return value >= min && value <= max ? value : undefined;
    },
  };
}

/** One of some words. */
export function choice<const T extends string>(...words: T[]): Kind<T> {
  return {
    arg: words.join("|"),
    range: `one of ${words.join(", ")}`,
    read: (text) => words.find((word) => word === text),
  };
}

/** A switch: a bare flag is `true`. */
export function boolean(): Kind<boolean> {
  const words: Record<string, boolean> = { true: true, yes: true, 1: true, false: false, no: false, 0: false };
  return {
    arg: "true|false",
    range: "true or false",
    read: (text) => (Object.hasOwn(words, text) ? words[text] : undefined),
  };
}

/** A text that matches a pattern. */
export function text(arg: string, range: string, pattern: RegExp): Kind<string> {
  return { arg, range, read: (text) => (pattern.test(text) ? text : undefined) };
}

/** An address of one of some schemes, or nothing where `optional`. */
export function url(schemes: readonly string[], optional = false): Kind<string> {
  const prefixes = schemes.map((scheme) => `${scheme}://`);
  return {
    arg: "URL",
    range: `${optional ? "empty or " : ""}an address that starts with ${prefixes.join(" or ")}`,
    read(text) {
      if (text === "" && optional) return text;
      return URL.canParse(text) && prefixes.some((prefix) => text.startsWith(prefix)) ? text : undefined;
    },
  };
}

/** An IP address, or a network of them. */
export function network(): Kind<string> {
  return {
    arg: "NETWORK",
    range: "an IP address or a network such as 10.0.0.0/8",
    read(text) {
      const [, address, length] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
      const version = isIP(address ?? "");
      const bits = version === 6 ? 128 : 32;
      return version > 0 && Number(length ?? bits) <= bits ? text : undefined;
    },
  };
}

/** `*`, an origin of web pages as browsers write it, or all names below one. */
export function origin(): Kind<string> {
  return {
    arg: "ORIGIN",
    range: "* or an origin such as https://trade.example.com or https://*.example.com, without a path",
    read(text) {
      if (text === "*") return text;
      if (!/^https?:\/\/(\*\.)?[^/*?#@\\\s]+\/?$/i.test(text) || !URL.canParse(text)) return undefined;
      // The form that browsers send: in lower case, without the default port of the scheme.
      return new URL(text).origin;
    },
  };
}

/** Several texts, split at `separator`; each one must be of the kind given. */
export function list<T>(of: Kind<T>, separator: RegExp): Kind<T[]> {
  return {
    arg: of.arg,
    range: `a list, each ${of.range}`,
    read(text) {
      const values: T[] = [];
      for (const part of text.split(separator)) {
        if (part === "") continue;
        const value = of.read(part);
        if (value === undefined) return undefined;
        values.push(value);
      }
      return values;
    },
  };
}
