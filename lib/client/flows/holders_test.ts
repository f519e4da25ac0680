import { deepEqual, equal, ok } from "node:assert/strict";
import type { SocketHolder } from "../../os/mod.ts";
import { Holders } from "./holders.ts";

Deno.test("Holders finds all sockets that wait in one walk, and looks at known processes first", async () => {
  const walks: { inodes: readonly number[]; likely: readonly number[] }[] = [];
  const first = Promise.withResolvers<void>();
  const stop = new AbortController();
  const holders = new Holders(async (inodes, likely) => {
    walks.push({ inodes, likely });
    if (walks.length === 1) await first.promise;
    return new Map(inodes.filter((inode) => inode !== 13).map((inode) => [inode, holderOf(inode)]));
  });
  const found: string[] = [];
  const all = Promise.withResolvers<void>();
  const look = (inode: number) =>
    holders.look(inode, ({ pid }) => {
      if (found.push(`${inode} ${pid}`) === 3) all.resolve();
    }, stop.signal);
  look(1);
  for (const inode of [2, 13, 3]) look(inode);
  first.resolve();
  await all.promise;
  deepEqual(found, ["1 101", "2 102", "3 103"]);
  deepEqual(walks, [{ inodes: [1], likely: [] }, { inodes: [2, 13, 3], likely: [101] }]);
  stop.abort();
});

Deno.test("Holders lets a flood of connections wait for no more than one walk's worth", async () => {
  const walked = Promise.withResolvers<readonly number[]>();
  const first = Promise.withResolvers<void>();
  const stop = new AbortController();
  let walks = 0;
  const holders = new Holders(async (inodes) => {
    if (++walks === 1) await first.promise;
    else walked.resolve(inodes);
    return new Map();
  });
  for (let inode = 1; inode <= 100_000; inode++) holders.look(inode, () => {}, stop.signal);
  first.resolve();
  equal((await walked.promise).length, 1000);
  stop.abort();
});

Deno.test("Holders goes on after a walk that failed, and ends with its signal", async () => {
  const stop = new AbortController();
  let walks = 0;
  const again = Promise.withResolvers<SocketHolder>();
  const holders = new Holders((inodes) => {
    if (++walks === 1) return Promise.reject(new Error("no /proc"));
    return Promise.resolve(new Map(inodes.map((inode) => [inode, holderOf(inode)])));
  });
  holders.look(1, () => {}, stop.signal);
  holders.look(2, again.resolve, stop.signal);
  equal((await again.promise).pid, 102);
  stop.abort();
  const before = walks;
  holders.look(3, () => ok(false, "it has ended"), stop.signal);
  await Promise.resolve();
  equal(walks, before);
});

function holderOf(inode: number): SocketHolder {
  return { pid: 100 + inode, program: "/usr/bin/psql" };
}
