/** Letters of vnet's own texts that a terminal without UTF-8 cannot show, and what stands for them. */
const STANDS_FOR: Readonly<Record<string, string>> = {
  "…": "...",
  "→": "->",
  "—": "-",
  "–": "-",
  "·": "-",
  "×": "x",
  "≥": ">=",
  "≤": "<=",
  "“": '"',
  "”": '"',
  "‘": "'",
  "’": "'",
  "\u00a0": " ",
};

/** Whether a locale's letters are only those of ASCII: anything but UTF-8, as the C library reads its variables. */
export function isAsciiOnly(env: (name: string) => string | undefined): boolean {
  const locale = env("LC_ALL") || env("LC_CTYPE") || env("LANG") || "";
  return !/utf-?8/i.test(locale);
}

/** Writes a text with the letters of ASCII alone; what has no likeness there becomes a question mark. */
export function toAscii(text: string): string {
  return text.replace(/[^\0-\x7f]/gu, (letter) => STANDS_FOR[letter] ?? "?");
}
