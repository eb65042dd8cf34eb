/** The length of comment lines. Biome's formatter wraps code at 120 characters, and leaves comments as they are. */

const MAX_CHARACTERS = 120;

/** A line that is a comment as a whole, or a line of a block comment. */
const COMMENT = /^\s*(?:\/\/|\/\*|\*)/;

/** A line that cannot be wrapped: a link, or an instruction to Biome or TypeScript. */
const UNBREAKABLE = /https?:\/\/\S{60,}|biome-ignore|@ts-/;

/** @returns the numbers of the lines that are too long, from 1 */
export function longCommentLines(text: string): number[] {
  return text.split("\n").flatMap((line, index) => (isTooLong(line) ? [index + 1] : []));
}

function isTooLong(line: string): boolean {
  return line.length > MAX_CHARACTERS && COMMENT.test(line) && !UNBREAKABLE.test(line);
}
