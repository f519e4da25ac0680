import { deepEqual, equal, rejects } from "node:assert/strict";
import { join } from "node:path";
import {
  ensurePrivateDirectory,
  readConfigFile,
  readFileIfThere,
  writeFileAtomic,
} from "./files.ts";

async function inDirectory(act: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await act(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const modeOf = async (path: string) => (await Deno.stat(path)).mode! & 0o777;

Deno.test("writeFileAtomic() replaces a file, for its owner's eyes only, and leaves nothing else", async () => {
  await inDirectory(async (directory) => {
    const path = join(directory, "secret");
    await Deno.writeTextFile(path, "old", { mode: 0o644 });
    await writeFileAtomic(path, "new");
    equal(await Deno.readTextFile(path), "new");
    equal(await modeOf(path), 0o600);
    const bytes = new Uint8Array(3_000_000).fill(7);
    await writeFileAtomic(path, bytes);
    deepEqual(await Deno.readFile(path), bytes);
    deepEqual((await Array.fromAsync(Deno.readDir(directory))).map(({ name }) => name), ["secret"]);
  });
});

Deno.test("writeFileAtomic() keeps the old content when it cannot write", async () => {
  await inDirectory(async (directory) => {
    await rejects(writeFileAtomic(join(directory, "missing", "file"), "x"), {
      code: "file-unwritable",
      errno: "ENOENT",
    });
    // A directory in the place of the file: the rename fails, and the new file must not stay behind
    const path = join(directory, "taken");
    await Deno.mkdir(join(path, "inside"), { recursive: true });
    await rejects(writeFileAtomic(path, "x"), { code: "file-unwritable" });
    deepEqual((await Array.fromAsync(Deno.readDir(directory))).map(({ name }) => name), ["taken"]);
  });
});

Deno.test("ensurePrivateDirectory() takes from others what they were allowed", async () => {
  await inDirectory(async (directory) => {
    const path = join(directory, "a", "b");
    await ensurePrivateDirectory(path);
    equal(await modeOf(path), 0o700);
    await Deno.chmod(path, 0o755);
    await ensurePrivateDirectory(path);
    equal(await modeOf(path), 0o700);
    const file = join(directory, "file");
    await Deno.writeTextFile(file, "");
    await rejects(ensurePrivateDirectory(join(file, "x")), { code: "directory-unusable" });
  });
});

Deno.test("readConfigFile() and readFileIfThere() say what is wrong with a file", async () => {
  await inDirectory(async (directory) => {
    const path = join(directory, "f");
    equal(await readFileIfThere(path), null);
    await rejects(readConfigFile(path), {
      code: "config-invalid",
      mistakes: [{ path: "", found: "no such file", expected: "a readable file" }],
    });
    await Deno.writeFile(path, new Uint8Array([0xff, 0xfe]));
    await rejects(readConfigFile(path), {
      mistakes: [{ path: "", found: "other bytes", expected: "UTF-8 text" }],
    });
    await Deno.writeTextFile(path, "a: 1\n");
    equal(await readConfigFile(path), "a: 1\n");
    equal(await readFileIfThere(path), "a: 1\n");
    await rejects(readFileIfThere(join(path, "below")), { code: "file-unreadable" });
  });
});
