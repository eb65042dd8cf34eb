/** Types of the used parts of k6's modules (https://grafana.com/docs/k6/latest/javascript-api/). */

/** The environment of the k6 process, and `-e NAME=value`. */
declare const __ENV: Readonly<Record<string, string | undefined>>;
/** The text of a file; only while the script is loaded. */
declare function open(path: string): string;

declare module "k6" {
  export function check<T>(value: T, checks: Readonly<Record<string, (value: T) => boolean>>): boolean;
}

declare module "k6/crypto" {
  const crypto: { hmac(algorithm: "sha256", secret: string, data: string, encoding: "base64rawurl"): string };
  export default crypto;
}

declare module "k6/encoding" {
  const encoding: { b64encode(text: string, encoding: "rawurl"): string };
  export default encoding;
}

declare module "k6/execution" {
  const execution: {
    readonly vu: { readonly idInTest: number };
    readonly scenario: {
      /** ms since the Unix epoch */
      readonly startTime: number;
      /** From 0, among all iterations of the scenario. */
      readonly iterationInTest: number;
    };
  };
  export default execution;
}

declare module "k6/http" {
  interface Response {
    /** 0 without an answer. */
    readonly status: number;
    readonly body: string;
    readonly error: string;
  }
  interface Parameters {
    readonly headers: Readonly<Record<string, string>>;
  }
  const http: { get(url: string, parameters?: Parameters): Response };
  export default http;
}

declare module "k6/metrics" {
  type Tags = Readonly<Record<string, string>>;
  export class Counter {
    constructor(name: string);
    add(count: number, tags?: Tags): void;
  }
  export class Trend {
    constructor(name: string, isTime?: boolean);
    add(value: number, tags?: Tags): void;
  }
}

declare module "k6/websockets" {
  interface MessageEvent {
    readonly data: ArrayBuffer | string;
    /** Time of arrival, ms since the Unix epoch, with a fraction. */
    readonly timestamp: number;
  }
  export class WebSocket {
    constructor(url: string, protocols: string, parameters?: { readonly headers: Readonly<Record<string, string>> });
    binaryType: "blob" | "arraybuffer";
    readonly protocol: string;
    onopen: (() => void) | null;
    onmessage: ((event: MessageEvent) => void) | null;
    onerror: ((event: { readonly error: string }) => void) | null;
    onclose: ((event: { readonly code: number }) => void) | null;
    send(data: ArrayBuffer): void;
    close(code?: number): void;
  }
}
