import { deepEqual, equal, match } from "node:assert/strict";
import { findHolders, findProgram } from "./programs.ts";

/** A folder like /proc, with one process that has a socket, by the given pid. */
async function fakeProc(pid: number): Promise<string> {
  const dir = await Deno.makeTempDir();
  await Deno.mkdir(`${dir}/${pid}/fd`, { recursive: true });
  await Deno.mkdir(`${dir}/self`);
  await Deno.symlink("/dev/null", `${dir}/${pid}/fd/0`);
  await Deno.symlink("socket:[4711]", `${dir}/${pid}/fd/3`);
  await Deno.symlink("/usr/bin/psql", `${dir}/${pid}/exe`);
  return dir;
}

Deno.test("findProgram() finds the file of the process that has the socket", async (t) => {
  const uid = Deno.uid() ?? 0;
  const dir = await fakeProc(42);
  const cases: [name: string, uid: number, inode: number, want: string | null][] = [
    ["its socket", uid, 4711, "/usr/bin/psql"],
    ["another socket", uid, 4712, null],
    ["a socket of that number, but another user's", uid + 1, 4711, null],
  ];
  try {
    for (const [name, uid, inode, want] of cases) {
      await t.step(name, async () => {
        equal(await findProgram({ uid, inode }, AbortSignal.timeout(5_000), dir), want);
      });
    }
    await t.step("a search that was called off", async () => {
      equal(await findProgram({ uid, inode: 4711 }, AbortSignal.abort(), dir), null);
    });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("findProgram() finds this very program by a socket it holds", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  try {
    const rows = (await Deno.readTextFile("/proc/net/tcp")).split("\n").map((row) =>
      row.trim().split(/\s+/)
    );
    const port = (listener.addr as Deno.NetAddr).port.toString(16).toUpperCase().padStart(4, "0");
    const row = rows.find(([, local]) => local === `0100007F:${port}`);
    const owner = { uid: Number(row?.[7]), inode: Number(row?.[9]) };
    match(await findProgram(owner, AbortSignal.timeout(5_000)) ?? "", /deno/);
  } finally {
    listener.close();
  }
});

Deno.test("findHolders() finds the processes of many sockets in one walk", async (t) => {
  const uid = Deno.uid() ?? 0;
  const dir = await fakeProc(42);
  await Deno.mkdir(`${dir}/77/fd`, { recursive: true });
  for (const [fd, inode] of [[3, 5], [4, 6], [5, 5]]) {
    await Deno.symlink(`socket:[${inode}]`, `${dir}/77/fd/${fd}`);
  }
  await Deno.writeTextFile(`${dir}/77/comm`, "a \x1b[2J name\n");
  await Deno.writeTextFile(`${dir}/77/cmdline`, "curl\0-u\0alice:secret\0");
  const find = async (inodes: readonly number[], first: readonly number[] = []) => [
    ...await findHolders({ uid, inodes, first }, AbortSignal.timeout(5_000), dir),
  ];
  const psql = [4711, { pid: 42, program: "/usr/bin/psql" }] as const;
  // Its file cannot be read, so it is told by its name: nothing of its arguments.
  const other = { pid: 77, program: "a \x1b[2J name" };
  try {
    await t.step("all, the newest process first", async () => {
      deepEqual(await find([4711, 5, 6, 7]), [[5, other], [6, other], psql]);
    });
    await t.step("a likely one first, though it is older, or has gone", async () => {
      deepEqual(await find([4711, 5], [9999, 42]), [psql, [5, other]]);
    });
    await t.step("none", async () => deepEqual(await find([7]), []));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
