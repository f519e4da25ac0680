/** Counts things: `1 app`, `2 apps`; the plural is the noun with an s unless given. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}
