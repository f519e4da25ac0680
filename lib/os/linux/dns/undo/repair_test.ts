import { deepEqual, equal } from "node:assert/strict";
import { Disk } from "./disk.ts";
import { Journal } from "./journal.ts";
import { pathsBelow } from "../find/paths.ts";
import { repairIn } from "./repair.ts";

Deno.test("repairIn() goes by what the journal says once it is owned, not before", async (t) => {
  const ours = "nameserver 127.0.53.1\n";
  const direct = (path: string) =>
    JSON.stringify({
      v: 1,
      backend: "direct",
      path,
      original: { kind: "missing" },
      ours: [new TextEncoder().encode(ours).toBase64()],
    });
  const cases: [name: string, before: boolean, after: boolean, left: boolean][] = [
    ["another vnet crashed meanwhile", false, true, false],
    ["another repair did it meanwhile, and a person wrote the same", true, false, true],
  ];
  for (const [name, before, after, left] of cases) {
    await t.step(name, async () => {
      const root = await Deno.makeTempDir();
      try {
        await Deno.mkdir(`${root}/etc`);
        const paths = pathsBelow(root);
        const entry = `${root}/osdns.journal.json`;
        const disk = new Disk();
        await Deno.writeTextFile(paths.resolvConf, ours);
        if (before) await Deno.writeTextFile(entry, direct(paths.resolvConf));
        // Whoever had it in their hands lets go of it just before it is locked.
        using journal = new Journal(root, disk, () => {
          if (after) Deno.writeTextFileSync(entry, direct(paths.resolvConf));
          else Deno.removeSync(entry);
        });
        const lines = await repairIn({ paths, disk, journal }, "own-crash");
        equal(lines.length, left ? 0 : 1);
        const there = await Deno.lstat(paths.resolvConf).then(() => true, () => false);
        equal(there, left);
        deepEqual(await journal.read(), null);
      } finally {
        await Deno.remove(root, { recursive: true });
      }
    });
  }
});
