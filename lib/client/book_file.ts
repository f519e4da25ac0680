/**
 * The address book on disk.
 *
 * @module
 */
import { VnetError } from "../error.ts";
import { readFileIfThere, writeFileAtomic } from "../io/mod.ts";
import { type Book, BOOK_RANDOM_BYTES, newBook, parseBook, renderBook } from "./state/mod.ts";

/**
 * Reads the book of a state folder, or begins one.
 *
 * @param random What a new one is made of; chance if not given.
 * @throws VnetError `leases-damaged` when the file is there and cannot be understood.
 */
export async function readBook(
  stateDir: string,
  random = crypto.getRandomValues(new Uint8Array(BOOK_RANDOM_BYTES)),
): Promise<Book> {
  const path = pathOf(stateDir);
  const text = await readFileIfThere(path);
  if (text === null) return newBook(random);
  try {
    return parseBook(text);
  } catch (thrown) {
    throw new VnetError("leases-damaged", `Cannot use the address book "${path}"`, {
      hint: "Move the file away; vnet then assigns new addresses",
      cause: thrown,
    });
  }
}

/** Writes the book, so that the next start gives the same addresses. */
export async function writeBook(stateDir: string, book: Book): Promise<void> {
  await writeFileAtomic(pathOf(stateDir), renderBook(book));
}

function pathOf(stateDir: string): string {
  return `${stateDir}/leases.json`;
}
