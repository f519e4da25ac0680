import { deepEqual, equal } from "node:assert/strict";
import { needing } from "../../tests/needs.ts";
import { asOwner } from "./as_owner.ts";
import type { Context } from "./context.ts";
import { showLogs } from "./supervise/logs.ts";

interface Spawned {
  readonly uid?: number;
  readonly gid?: number;
  readonly noNewPrivileges?: boolean;
  readonly env: Readonly<Record<string, string>>;
}

/** Root, who was asked by somebody, or by root itself; what is started is noted and ends with 7. */
function contextOf(uid: number, stateDir = "/nowhere") {
  const spawned: Spawned[] = [];
  const shown: string[] = [];
  const processes = {
    spawn: (options: Spawned) => spawned.push(options),
    wait: () => Promise.resolve({ code: 7 }),
  };
  const context = {
    owner: { uid, gid: uid, name: "alice", homeDir: "/home/alice" },
    paths: { stateDir, runtimeDir: "/nowhere", configDir: "/nowhere/config" },
    globals: { quiet: true },
    env: () => undefined,
    machine: () => Promise.resolve({ processes }),
    stdout: (text: string) => shown.push(text),
    signal: new AbortController().signal,
  };
  return { context: context as unknown as Context, spawned, shown };
}

Deno.test(needing(["root"], "asOwner() leaves root at the owner's door", async () => {
  let ran = 0;
  const action = asOwner(() => Promise.resolve(ran++));
  const root = contextOf(0);
  equal(await action(root.context), 0);
  deepEqual([ran, root.spawned], [1, []]);
  const alice = contextOf(4242);
  equal(await action(alice.context), 7);
  equal(ran, 1);
  const [{ uid, gid, noNewPrivileges, env } = { env: {} }] = alice.spawned;
  deepEqual([uid, gid, noNewPrivileges, env["HOME"]], [4242, 4242, true, "/home/alice"]);
  deepEqual(Object.keys(env).filter((name) => /^(SUDO|XDG)_/.test(name)), []);
}));

Deno.test(
  needing(
    ["root"],
    "showLogs() does not show whom asks by sudo what a link in their folder leads to",
    async () => {
      const folder = await Deno.makeTempDir();
      try {
        await Deno.writeTextFile(`${folder}/secret`, "root's\n", { mode: 0o600 });
        await Deno.symlink(`${folder}/secret`, `${folder}/daemon.log`);
        const { context, spawned, shown } = contextOf(4242, folder);
        equal(await showLogs(context, { follow: false, lines: 10 }), 7);
        deepEqual([spawned.map(({ uid }) => uid), shown], [[4242], []]);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  ),
);
