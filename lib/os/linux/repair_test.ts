import { equal, rejects } from "node:assert/strict";
import { machine } from "../../../tests/machine.ts";
import { needing } from "../../../tests/needs.ts";

const { journal, resolver } = machine.root;

Deno.test(
  needing(["root"], "no journal is read, run or kept in a folder that is another's", async (t) => {
    const folder = await Deno.realPath(await Deno.makeTempDir());
    const theirs = `${folder}/theirs`;
    const program = `${folder}/resolvconf`;
    const proof = `${folder}/it-ran`;
    try {
      await Deno.writeTextFile(program, `#!/bin/sh\ntouch ${proof}\n`, { mode: 0o755 });
      const entry = { v: 1, backend: "openresolv", program, record: "vnet0" };
      await Deno.mkdir(theirs, { mode: 0o700 });
      await Deno.writeTextFile(`${theirs}/osdns.journal.json`, JSON.stringify(entry));
      await Deno.chown(theirs, 4242, 4242);
      await Deno.symlink(theirs, `${folder}/link`);
      const acts: readonly [name: string, act: (directory: string) => unknown][] = [
        ["repair", (directory) => journal.repair(directory)],
        ["forget", (directory) => journal.forget(directory)],
        ["endConnections", (directory) => journal.endConnections(directory)],
        ["openRecord", (directory) => journal.openRecord(directory)],
        ["open", (journalDir) => resolver.open({ journalDir })],
      ];
      for (const [name, act] of acts) {
        await t.step(name, async () => {
          for (const directory of [theirs, `${folder}/link`, `${folder}/x/../theirs/below`]) {
            await rejects(async () => await act(directory), { code: "folder-untrusted" });
          }
        });
      }
      equal(await Deno.stat(proof).then(() => true, () => false), false);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }),
);
