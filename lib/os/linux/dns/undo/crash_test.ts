/**
 * SIGKILL at every act on the disk, for every kind of resolv.conf: the next start leaves the host's files as
 * they were, byte for byte, mode, owner and link target included.
 */
import { deepEqual, equal, match, notEqual } from "node:assert/strict";
import { repair } from "../mod.ts";
import { makeDirectory } from "../../../../../tests/doubles/osdns/bus.ts";
import {
  hostPaths,
  makeHost,
  type OriginalKind,
  ORIGINALS,
  picture,
} from "../../../../../tests/doubles/osdns/host.ts";

const CHILD =
  new URL("../../../../../tests/doubles/osdns/crash_child.ts", import.meta.url).pathname;

interface Ended {
  readonly acts: number | null;
  readonly signal: string | null;
}

async function runChild(
  root: string,
  what: "cycle" | "up" | "repair",
  dieAt: number,
): Promise<Ended> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "--cached-only", "-A", CHILD, root, what, String(dieAt)],
    stdin: "null",
    env: { DENO_NO_UPDATE_CHECK: "1" },
  });
  const { signal, stdout, stderr } = await child.output();
  const acts = /^acts (\d+)$/m.exec(new TextDecoder().decode(stdout))?.[1];
  if (acts === undefined && signal === null) throw new Error(new TextDecoder().decode(stderr));
  return { acts: acts === undefined ? null : Number(acts), signal };
}

/** One host, killed at one act; `repair` follows, once by hand or by a process that is killed as well. */
async function killAt(
  kind: OriginalKind,
  what: "cycle" | "repair",
  at: number,
): Promise<{ readonly isKilled: boolean; readonly isWhole: boolean }> {
  await using directory = await makeDirectory();
  const root = directory.path;
  const paths = await makeHost(root, kind);
  const before = await picture(`${root}/etc`);
  if (what === "repair") equal((await runChild(root, "up", 0)).signal, null);
  const { signal } = await runChild(root, what, at);
  await repair(`${root}/journal`, paths);
  const isWhole = await picture(`${root}/etc`) === before &&
    !await picture(`${root}/journal`).then((text) => text.includes("osdns.journal"));
  const again = await repair(`${root}/journal`, paths);
  return { isKilled: signal === "SIGKILL", isWhole: isWhole && again.length === 0 };
}

for (const kind of ORIGINALS) {
  Deno.test(`a kill -9 at any act leaves a resolv.conf that is a ${kind} as it was`, async (t) => {
    let runs = 0;
    for (const what of ["cycle", "repair"] as const) {
      await using directory = await makeDirectory();
      await makeHost(directory.path, kind);
      if (what === "repair") await runChild(directory.path, "up", 0);
      const { acts } = await runChild(directory.path, what, 0);
      notEqual(acts, null);
      const points = Array.from({ length: acts ?? 0 }, (_, i) => i + 1);
      for (let i = 0; i < points.length; i += 2) {
        const pair = points.slice(i, i + 2);
        const ended = await Promise.all(pair.map((at) => killAt(kind, what, at)));
        deepEqual(ended, pair.map(() => ({ isKilled: true, isWhole: true })), `${what} ${pair}`);
        runs += pair.length;
      }
    }
    await t.step(`${kind}: ${runs} kills, 0 bad`, () => notEqual(runs, 0));
  });
}

Deno.test("repair() leaves alone what someone else wrote after the crash", async (t) => {
  for (const kind of ORIGINALS) {
    await t.step(kind, async () => {
      await using directory = await makeDirectory();
      const paths = await makeHost(directory.path, kind);
      await runChild(directory.path, "up", 0);
      await Deno.remove(paths.resolvConf);
      await Deno.writeTextFile(paths.resolvConf, "nameserver 9.9.9.9\n");
      const before = await picture(`${directory.path}/etc`);
      const lines = await repair(`${directory.path}/journal`, paths);
      match(lines.join("\n"), /left .* alone: someone else wrote it since/);
      equal(await picture(`${directory.path}/etc`), before);
      deepEqual(await repair(`${directory.path}/journal`, paths), []);
    });
  }
});

Deno.test("repair() takes its lines out when the journal is lost or unreadable", async (t) => {
  for (const journal of [null, "{", '{"v":2}']) {
    await t.step(journal ?? "lost", async () => {
      await using directory = await makeDirectory();
      const paths = hostPaths(directory.path);
      await makeHost(directory.path, "file");
      await runChild(directory.path, "up", 0);
      const path = `${directory.path}/journal/osdns.journal.json`;
      if (journal === null) await Deno.remove(path);
      else await Deno.writeTextFile(path, journal);
      const lines = await repair(`${directory.path}/journal`, paths);
      match(lines.join("\n"), /took our lines out/);
      equal(
        await Deno.readTextFile(paths.resolvConf),
        "nameserver 10.99.0.53\nsearch corp.lan\noptions ndots:2\n",
      );
    });
  }
});
