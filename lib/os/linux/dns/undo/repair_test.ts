import { deepEqual, equal } from "node:assert/strict";
import { isWithinBounds } from "./bounds.ts";
import { Disk } from "./disk.ts";
import { type Entry, Journal } from "./journal.ts";
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

Deno.test("repairIn() waits for a repair that is under way", async () => {
  const root = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${root}/etc`);
    const paths = pathsBelow(root);
    const entry = `${root}/osdns.journal.json`;
    const disk = new Disk();
    await Deno.writeTextFile(entry, JSON.stringify({ ...DIRECT, path: paths.resolvConf }));
    const guard = new Journal(root, disk);
    equal(await guard.own(), true);
    let isDone = false;
    setTimeout(() => {
      Deno.removeSync(entry);
      isDone = true;
      guard[Symbol.dispose]();
    }, 100);
    using journal = new Journal(root, disk);
    deepEqual(await repairIn({ paths, disk, journal }, "any-crash"), []);
    equal(isDone, true);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

const PATHS = pathsBelow("/host");

const DIRECT: Entry = {
  v: 1,
  backend: "direct",
  path: "/host/etc/resolv.conf",
  original: { kind: "missing" },
  ours: [],
};
const DROP_IN: Entry = {
  v: 1,
  backend: "nm-dnsmasq",
  path: "/host/etc/NetworkManager/dnsmasq.d/zz-vnet.conf",
};
const OPENRESOLV: Entry = {
  v: 1,
  backend: "openresolv",
  program: "/host/sbin/resolvconf",
  record: "vnet0",
};
const DEBIAN: Entry = { ...OPENRESOLV, backend: "debian-resolvconf", record: "tun-vnet.inet" };

Deno.test("isWithinBounds() knows what a vnet of this machine could have touched", async (t) => {
  const cases: [name: string, entry: Entry, want: boolean][] = [
    ["resolv.conf", DIRECT, true],
    ["another file", { ...DIRECT, path: "/host/etc/shadow" }, false],
    ["another name of resolv.conf", { ...DIRECT, path: "/host/etc/../etc/resolv.conf" }, false],
    ["the drop-in", DROP_IN, true],
    ["another drop-in", { ...DROP_IN, path: "/host/etc/cron.d/zz-vnet.conf" }, false],
    ["a record of openresolv", OPENRESOLV, true],
    ["another program", { ...OPENRESOLV, program: "/tmp/resolvconf" }, false],
    ["a relative program", { ...OPENRESOLV, program: "resolvconf" }, false],
    ["an option as a record", { ...OPENRESOLV, record: "-u" }, false],
    ["another link's record", { ...OPENRESOLV, record: "eth0" }, false],
    ["a record of Debian's", DEBIAN, true],
    ["another record of Debian's", { ...DEBIAN, record: "eth0.inet" }, false],
  ];
  for (const [name, entry, want] of cases) {
    await t.step(name, () => equal(isWithinBounds(entry, PATHS), want));
  }
});

Deno.test("repairIn() runs no program and touches no file but its own, and keeps the journal for a person", async (t) => {
  const root = await Deno.makeTempDir();
  const paths = pathsBelow(root);
  const program = `${root}/evil`;
  const proof = `${root}/it-ran`;
  const victim = `${root}/victim`;
  try {
    await Deno.writeTextFile(program, `#!/bin/sh\ntouch ${proof}\n`, { mode: 0o755 });
    await Deno.writeTextFile(victim, "nameserver 127.0.53.1\n");
    const ours = [new TextEncoder().encode("nameserver 127.0.53.1\n").toBase64()];
    const entries: readonly Entry[] = [
      { ...OPENRESOLV, program },
      { ...DEBIAN, program },
      { ...DIRECT, path: victim, ours },
      { ...DROP_IN, path: victim },
    ];
    for (const entry of entries) {
      await t.step(entry.backend, async () => {
        const disk = new Disk();
        using journal = new Journal(root, disk);
        await Deno.writeTextFile(journal.path, JSON.stringify(entry));
        const lines = await repairIn({ paths, disk, journal }, "own-crash");
        deepEqual(lines, [`set the unreadable journal aside: ${journal.path}.bad`]);
        equal(await Deno.readTextFile(victim), "nameserver 127.0.53.1\n");
        equal(await Deno.stat(proof).then(() => true, () => false), false);
      });
    }
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
