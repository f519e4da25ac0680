/** Where a journal lies in its directory: what is to be undone, and what whoever will undo it has locked. */
export function journalFiles(
  directory: string,
): { readonly entry: string; readonly lock: string } {
  return { entry: `${directory}/osdns.journal.json`, lock: `${directory}/osdns.lock` };
}
