/**
 * Captured traffic of a venue's WebSocket connection, one event a line.
 *
 *     URL <-> TIME           the connection was opened
 *     URL <- TIME: TEXT      the client sent TEXT
 *     TIME: TEXT             TEXT was received
 *     URL -> TIME: TEXT      TEXT was the answer to an HTTP GET
 *
 * TIME is in seconds; only the differences matter.
 */
import { readFileSync, statSync } from "node:fs";
import { UsageError } from "../../settings/option.ts";

/** The largest capture in bytes: it is kept in memory. */
export const CAPTURE_BYTES = 256 * 1_024 * 1_024;

/** A message that was received. */
export interface CapturedMessage {
  /** Seconds. */
  readonly time: number;
  readonly text: string;
}

/** The answer to an HTTP GET. */
export interface CapturedAnswer {
  readonly url: string;
  readonly text: string;
}

export interface Capture {
  /** The address that the client connected to. */
  readonly urls: readonly string[];
  /** What the client sent. */
  readonly sent: readonly string[];
  /** Whether the client sent something before it received anything: the venue waits for a request. */
  readonly waits: boolean;
  readonly received: readonly CapturedMessage[];
  readonly answers: readonly CapturedAnswer[];
}

const OPENED = /^(wss?:\/\/\S+) <-> (\d+(?:\.\d+)?)$/;
const SENT = /^(wss?:\/\/\S+) <- (\d+(?:\.\d+)?): (.*)$/;
const ANSWERED = /^(https?:\/\/\S+) -> \d+(?:\.\d+)?: (.*)$/;
const RECEIVED = /^(\d+(?:\.\d+)?): (.*)$/;

/**
 * Reads a capture file.
 * @throws UsageError when it cannot be read or is too large; or one that names the first line that is not valid
 */
export function readCapture(file: string): Capture {
  let content: string;
  try {
    const { size } = statSync(file);
    if (size > CAPTURE_BYTES)
      throw new UsageError(`${file} has ${size} bytes, and a capture may have ${CAPTURE_BYTES}`);
    content = readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
  return parseCapture(content, file);
}

/**
 * Parses the text of a capture.
 * @param name its name in error messages
 * @throws UsageError, as {@link readCapture}
 */
export function parseCapture(content: string, name: string): Capture {
  const urls: string[] = [];
  const sent: string[] = [];
  const received: CapturedMessage[] = [];
  const answers: CapturedAnswer[] = [];
  let waits = false;
  for (const [index, raw] of content.split("\n").entries()) {
    const line = raw.replace(/\r$/, "");
    if (line.trim() === "") continue;
    const message = RECEIVED.exec(line);
    const opened = message ? null : OPENED.exec(line);
    const asked = message || opened ? null : SENT.exec(line);
    const answered = message || opened || asked ? null : ANSWERED.exec(line);
    if (message) received.push({ time: Number(message[1]), text: message[2] });
    else if (opened) urls.push(opened[1]);
    else if (asked) {
      if (received.length === 0) waits = true;
      sent.push(asked[3]);
    } else if (answered) answers.push({ url: answered[1], text: answered[2] });
    else
      throw new UsageError(
        `${name}:${index + 1}: is not a line of a capture: "URL <-> TIME", "URL <- TIME: TEXT", "URL -> TIME: TEXT" or "TIME: TEXT"`,
      );
  }
  if (received.length === 0) throw new UsageError(`${name}: has no message that was received`);
  return { urls, sent, waits, received, answers };
}
