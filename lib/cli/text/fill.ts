/** Sets words into lines, all but the first set in. A word that is too long has a line of its own. */
export function fill(words: readonly string[], width: number, indent: number): string {
  const lines: string[] = [];
  let line = "";
  for (const word of words) {
    if (line.trim() !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = " ".repeat(indent) + word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].join("\n");
}
