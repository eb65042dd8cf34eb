/**
 * Serves the watchlist: the files of `npm run build`, read once and kept in memory. A request's path never becomes a
 * file name, and no file is compressed while the gateway runs.
 */

import type { TemplatedApp } from "uWebSockets.js";
import { createHash } from "node:crypto";
import { type Dirent, existsSync, readdirSync, readFileSync } from "node:fs";
import { extname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { AdmittedRequest, HttpAdmission } from "./admission.ts";
import { isHostAllowed } from "./origin.ts";

/** The folder that the build writes. */
export const SITE_FOLDER = fileURLToPath(new URL("../../../dist/web/", import.meta.url));

/** The most that is read into memory; the page has a tenth of it. */
const MOST_FILES = 64;
const MOST_BYTES = 8_388_608;

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
};

/** The content encodings of a file, the best first, by their HTTP names. */
const ENCODINGS = [
  { name: "br", extension: ".br" },
  { name: "gzip", extension: ".gz" },
] as const;

/** Headers of every answer. The page loads nothing from other sites, and no script except its own files. */
const SAFE_HEADERS = {
  "Content-Security-Policy":
    "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
};

/** A file in one encoding. */
interface Body {
  readonly bytes: Buffer;
  /** The ETag, with its quotes. */
  readonly tag: string;
  /** The name of the encoding; undefined for the plain file. */
  readonly encoding: string | undefined;
}

/** A file of the page. */
export interface SiteFile {
  /** The path of the request: `/` or `/assets/main-ABCDEFGH.js`. */
  readonly path: string;
  readonly type: string;
  /** Whether the name changes with the content. */
  readonly isHashed: boolean;
  /** The best encoding first, the plain file last. */
  readonly bodies: readonly Body[];
}

/**
 * Reads the page.
 * @returns its files; undefined when it has not been built
 * @throws Error when there are more files or bytes than the limit, or a file cannot be read
 */
export function readSite(folder: string = SITE_FOLDER): readonly SiteFile[] | undefined {
  if (!existsSync(join(folder, "index.html"))) return undefined;
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry: Dirent) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
  let left = MOST_BYTES;
  const read = (name: string): Buffer => {
    const bytes = readFileSync(join(folder, name));
    left -= bytes.length;
    if (left < 0 || names.length > MOST_FILES)
      throw new Error(`${folder} holds more than ${MOST_FILES} files or ${MOST_BYTES} bytes`);
    return bytes;
  };
  const plain = names.filter((name) => TYPES[extname(name)] !== undefined);
  return plain.toSorted().map((name) => {
    const packed = ENCODINGS.filter(({ extension }) => names.includes(name + extension));
    const path = `/${name.split(sep).join("/")}`;
    return {
      path: path === "/index.html" ? "/" : path,
      type: TYPES[extname(name)],
      isHashed: /-[A-Z0-9]{8}\.\w+$/.test(name),
      bodies: [
        ...packed.map((encoding) => bodyOf(read(name + encoding.extension), encoding.name)),
        bodyOf(read(name), undefined),
      ],
    };
  });
}

function bodyOf(bytes: Buffer, encoding: string | undefined): Body {
  return { bytes, encoding, tag: `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"` };
}

/**
 * Registers the handlers for `/` and the files that it loads. Without files, `/` explains how to build them.
 * @param origins the origins whose pages may connect
 */
export function serveSite(
  app: TemplatedApp,
  files: readonly SiteFile[] | undefined,
  origins: readonly string[],
  admission: HttpAdmission,
): TemplatedApp {
  if (!files)
    return app.get(
      "/",
      admission.handler((request) => sendExplanation(request, admission, "404 Not Found", "Not built", NOT_BUILT)),
    );
  for (const file of files) {
    const handler = admission.handler((request) => sendFile(request, admission, file, origins));
    app.get(file.path, handler);
    app.head(file.path, handler);
  }
  return app;
}

function sendFile(
  request: AdmittedRequest,
  admission: HttpAdmission,
  file: SiteFile,
  origins: readonly string[],
): void {
  const { res, headers, withBody } = request;
  const host = headers.get("host") ?? "";
  if (file.path === "/" && !isHostAllowed(origins, host))
    return sendExplanation(request, admission, "403 Forbidden", "Not let in", notListed(host));
  const body = chooseEncoding(file.bodies, headers.get("accept-encoding") ?? "");
  const isKnown = isCached(headers.get("if-none-match") ?? "", body.tag);
  const head = {
    status: isKnown ? "304 Not Modified" : "200 OK",
    type: file.type,
    headers: {
      ...SAFE_HEADERS,
      ETag: body.tag,
      "Cache-Control": file.isHashed ? "public, max-age=31536000, immutable" : "no-cache",
      Vary: "Accept-Encoding",
      ...(body.encoding && { "Content-Encoding": body.encoding }),
    },
  };
  admission.responses.send(res, head, body.bytes, withBody && !isKnown);
}

/** The best encoding that the browser accepts. */
function chooseEncoding(bodies: readonly Body[], accepted: string): Body {
  const names = new Set<string>();
  for (const part of accepted.split(",")) {
    const [name, ...parameters] = part.split(";").map((word) => word.trim().toLowerCase());
    if (!parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter))) names.add(name);
  }
  return bodies.find(({ encoding }) => encoding === undefined || names.has(encoding)) as Body;
}

/** Whether the browser has this version already. */
function isCached(header: string, tag: string): boolean {
  return header.split(",").some((known) => known.trim().replace(/^W\//, "") === tag || known.trim() === "*");
}

const NOT_BUILT = "The watchlist has not been built. Build it with <code>npm run build</code>, and start again.";

function notListed(host: string): string {
  const name = host.replace(/[^\w.:[\]-]/g, "").slice(0, 255);
  return `This gateway takes no connections from pages of ${name}. Whoever runs it lets them in with <code>--origin https://${name}</code> (or <code>http://</code>, as you came).`;
}

/** Sends a page of one sentence instead of the watchlist. */
function sendExplanation(
  { res, withBody }: AdmittedRequest,
  admission: HttpAdmission,
  status: string,
  title: string,
  sentence: string,
): void {
  admission.responses.send(
    res,
    { status, type: "text/html; charset=utf-8", headers: { ...SAFE_HEADERS, "Cache-Control": "no-store" } },
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>Tickgate: ${title}</title><p>${sentence}</p>`,
    withBody,
  );
}
