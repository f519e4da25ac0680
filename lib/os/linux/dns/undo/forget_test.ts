import { deepEqual, equal } from "node:assert/strict";
import { Disk } from "./disk.ts";
import { forgetJournal } from "./forget.ts";
import { Journal } from "./journal.ts";

async function withDirectory(test: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await test(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const names = (directory: string) => [...Deno.readDirSync(directory)].map(({ name }) => name);

Deno.test("forgetJournal() removes what nobody needs, once", async () => {
  await withDirectory(async (directory) => {
    {
      using journal = new Journal(directory, new Disk());
      equal(await journal.own(), true);
      equal(await forgetJournal(directory), null); // A running vnet has it.
    }
    await Deno.writeTextFile(`${directory}/osdns.journal.json.bad`, "?");
    deepEqual(await forgetJournal(directory), [
      `${directory}/osdns.journal.json.bad`,
      `${directory}/osdns.lock`,
    ]);
    deepEqual(names(directory), []);
    deepEqual(await forgetJournal(directory), []);
    deepEqual(names(directory), []);
    deepEqual(await forgetJournal(`${directory}/none`), []);
  });
});

Deno.test("forgetJournal() keeps what is still to be undone", async () => {
  await withDirectory(async (directory) => {
    await Deno.writeTextFile(`${directory}/osdns.journal.json`, "{}");
    equal(await forgetJournal(directory), null);
    deepEqual(names(directory).sort(), ["osdns.journal.json", "osdns.lock"]);
  });
});

Deno.test("Journal.own() owns the file that is there, not one that was removed meanwhile", async () => {
  await withDirectory(async (directory) => {
    const path = `${directory}/osdns.lock`;
    using first = new Journal(directory, new Disk());
    // Somebody opens the file, and before they have it locked a purge removes it.
    const steps: string[] = [];
    using second = new Journal(directory, new Disk(), () => {
      steps.push("opened");
      if (steps.length === 1) Deno.removeSync(path);
    });
    equal(await second.own(), true);
    equal(steps.length, 2);
    equal(await first.own(), false);
  });
});
