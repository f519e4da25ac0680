import { deepEqual, equal, rejects } from "node:assert/strict";
import { refuseForeign, removeFiles, stateOf, writeFiles } from "./files.ts";

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "vnet-service-" });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("writeFiles() writes what differs, once", () =>
  withFolder(async (folder) => {
    const files = [{ path: `${folder}/a/one.service`, text: "1\n" }];
    const first = await writeFiles(files);
    deepEqual(first.changed, [`${folder}/a/one.service`]);
    equal((await Deno.stat(`${folder}/a/one.service`)).mode! & 0o777, 0o644);
    const second = await writeFiles(files);
    deepEqual(second.changed, []);
    deepEqual(second.all, first.all);
  }));

Deno.test("refuseForeign() takes a file for ours only if we wrote just that", () =>
  withFolder(async (folder) => {
    const path = `${folder}/one.service`;
    const { all } = await writeFiles([{ path, text: "old\n" }]);
    const wanted = [{ path, text: "new\n" }];
    await refuseForeign(wanted, [...all], "Cannot", "Move it"); // ours, an older text
    await rejects(refuseForeign(wanted, [], "Cannot", "Move it"), { code: "service-file-foreign" });
    await Deno.writeTextFile(path, "edited\n");
    await rejects(refuseForeign(wanted, [...all], "Cannot", "Move it"), {
      code: "service-file-foreign",
    });
    await Deno.writeTextFile(path, "new\n");
    await refuseForeign(wanted, [], "Cannot", "Move it"); // a stranger with the same idea
  }));

Deno.test("removeFiles() removes what is as it was written, and leaves what was edited", () =>
  withFolder(async (folder) => {
    const paths = ["one", "two", "three"].map((name) => `${folder}/x.service.d/${name}.conf`);
    const { all } = await writeFiles(paths.map((path) => ({ path, text: path })));
    await Deno.writeTextFile(paths[1]!, "edited");
    await Deno.remove(paths[2]!);
    deepEqual(await Promise.all(all.map(stateOf)), ["same", "edited", "missing"]);
    deepEqual(await removeFiles(all), [
      `Removed ${paths[0]}`,
      `Left ${paths[1]}: it was edited`,
    ]);
    equal(await Deno.readTextFile(paths[1]!), "edited");
    await Deno.writeTextFile(paths[1]!, paths[1]!);
    await removeFiles(all);
    await rejects(Deno.stat(`${folder}/x.service.d`), Deno.errors.NotFound);
  }));
