/**
 * Text from outside (of a gateway, a node, a client, a venue, the environment) as it may be written on a terminal. A
 * terminal obeys control characters: they move the cursor, set the title or the clipboard, answer as if typed. Format
 * characters turn the direction of a line around or cannot be seen, so that a text looks like another one.
 */

/** C0, DEL and C1; format characters and all that is drawn as nothing; other ends of a line; halves of a character. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}\p{Cs}]/gu;
/** Unicode has a picture of each C0 character (␀ to ␟), and of DEL (␡). */
const FIRST_PICTURE = 0x2400;
const DEL = 0x7f;
const DEL_PICTURE = 0x2421;
/** Replaces all other characters. */
const REPLACEMENT = "\ufffd";

/** The text in one line; each character that a terminal would obey or not show is replaced by a visible one. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    const code = character.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(FIRST_PICTURE + code);
    return code === DEL ? String.fromCharCode(DEL_PICTURE) : REPLACEMENT;
  });
}

/**
 * JSON in one line that says the same, with `\uXXXX` in the place of each such character: for programs and terminals.
 */
export function printableJson(value: unknown): string {
  return escapeJson(JSON.stringify(value));
}

/** The same for JSON text in one line. */
export function escapeJson(json: string): string {
  return json.replace(UNPRINTABLE, (character) =>
    Array.from({ length: character.length }, (_, index) => {
      const code = character.charCodeAt(index).toString(16);
      return `\\u${code.padStart(4, "0")}`;
    }).join(""),
  );
}
