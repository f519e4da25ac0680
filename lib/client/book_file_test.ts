import { equal, rejects } from "node:assert/strict";
import { VnetError } from "../error.ts";
import { readBook, writeBook } from "./book_file.ts";
import { renderBook } from "./state/mod.ts";

async function withDir(act: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await act(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("readBook() reads what writeBook() wrote, for the owner alone", () =>
  withDir(async (dir) => {
    const book = await readBook(dir);
    await writeBook(dir, book);
    equal(renderBook(await readBook(dir)), renderBook(book));
    equal(((await Deno.stat(`${dir}/leases.json`)).mode ?? 0) & 0o777, 0o600);
  }));

Deno.test("readBook() throws for a damaged book and keeps it", () =>
  withDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/leases.json`, "{ not json");
    await rejects(
      readBook(dir),
      (thrown) => thrown instanceof VnetError && thrown.code === "leases-damaged",
    );
    equal(await Deno.readTextFile(`${dir}/leases.json`), "{ not json");
  }));
