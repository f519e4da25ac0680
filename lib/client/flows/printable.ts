const MAX_LETTERS = 200;

/** Makes a text of strangers fit for terminals and logs: no control characters, no quotes, not endless. */
export function printable(text: string): string {
  return text.slice(0, MAX_LETTERS).replace(/[^\x21-\x7e]|["\\]/g, "?");
}
