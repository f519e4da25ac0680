import { equal, match } from "node:assert/strict";
import { findProgram } from "./programs.ts";

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
