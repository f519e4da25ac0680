import { equal, throws } from "node:assert/strict";
import { needing } from "../../../tests/needs.ts";
import { firstUntrusted, makeFolderFor, readRootsOwn, rootsOwn, type Step } from "./roots_own.ts";

const SOMEBODY = { uid: 4242, gid: 4242 };
const UNTRUSTED = { code: "folder-untrusted" };

Deno.test("firstUntrusted() finds where somebody else can change what a path names", async (t) => {
  const step = (path: string, uid = 0, mode = 0o755, isDirectory = true): Step => ({
    ...{ path, uid, mode, isDirectory },
  });
  const top = step("/");
  const cases: [name: string, steps: Step[], want: string | null][] = [
    ["root's alone", [top, step("/var"), step("/var/lib")], null],
    ["its own user's", [top, step("/home"), step("/home/me", 1000)], null],
    ["another's at the end", [top, step("/a", 1001)], "/a"],
    ["another's on the way", [top, step("/a", 1001), step("/a/b")], "/a"],
    ["a group may write", [top, step("/a", 0, 0o775), step("/a/b")], "/a"],
    ["everybody may write", [top, step("/a", 0, 0o757)], "/a"],
    ["everybody may write, but not replace", [top, step("/tmp", 0, 0o1777), step("/tmp/a")], null],
    ["the same, at the end", [top, step("/tmp", 0, 0o1777)], "/tmp"],
    ["no folder", [top, step("/a", 0, 0o644, false)], "/a"],
  ];
  for (const [name, steps, want] of cases) {
    await t.step(name, () => {
      equal(firstUntrusted(steps, new Set([0, 1000]))?.path ?? null, want);
    });
  }
});

async function withFolder(test: (folder: string) => void | Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("rootsOwn() resolves what is there, and keeps what is not", () =>
  withFolder((folder) => {
    Deno.mkdirSync(`${folder}/real`);
    Deno.symlinkSync("real", `${folder}/link`);
    equal(rootsOwn(`${folder}/link/a/b`), `${folder}/real/a/b`);
    equal(rootsOwn(`${folder}/real/../real`), `${folder}/real`);
    Deno.writeTextFileSync(`${folder}/file`, "");
    throws(() => rootsOwn(`${folder}/file`), UNTRUSTED);
    Deno.chmodSync(`${folder}/real`, 0o777);
    throws(() => rootsOwn(`${folder}/link/a`), UNTRUSTED);
  }));

Deno.test("rootsOwn() takes a path of which nothing is there yet but the root", () => {
  equal(rootsOwn("/vnet-nothing-here/state"), "/vnet-nothing-here/state");
});

Deno.test("readRootsOwn() reads a plain file of its own, and waits for nobody", () =>
  withFolder(async (folder) => {
    const path = `${folder}/file`;
    equal(readRootsOwn(path, 10), null);
    Deno.writeTextFileSync(path, "text", { mode: 0o600 });
    equal(new TextDecoder().decode(readRootsOwn(path, 4) ?? undefined), "text");
    throws(() => readRootsOwn(path, 3), UNTRUSTED);
    Deno.chmodSync(path, 0o620);
    throws(() => readRootsOwn(path, 10), UNTRUSTED);
    Deno.symlinkSync("/etc/hostname", `${folder}/link`);
    throws(() => readRootsOwn(`${folder}/link`, 1000), UNTRUSTED);
    throws(() => readRootsOwn(folder, 1000), UNTRUSTED);
    await new Deno.Command("mkfifo", { args: [`${folder}/fifo`] }).output();
    throws(() => readRootsOwn(`${folder}/fifo`, 1000), UNTRUSTED);
  }));

Deno.test(
  needing(["root"], "rootsOwn() and readRootsOwn() refuse another's", () =>
    withFolder((folder) => {
      Deno.mkdirSync(`${folder}/theirs`);
      Deno.chownSync(`${folder}/theirs`, SOMEBODY.uid, SOMEBODY.gid);
      throws(() => rootsOwn(`${folder}/theirs`), UNTRUSTED);
      throws(() => rootsOwn(`${folder}/theirs/a`), UNTRUSTED);
      Deno.symlinkSync("theirs", `${folder}/link`);
      throws(() => rootsOwn(`${folder}/link/a`), UNTRUSTED);
      Deno.writeTextFileSync(`${folder}/file`, "text", { mode: 0o600 });
      Deno.chownSync(`${folder}/file`, SOMEBODY.uid, SOMEBODY.gid);
      throws(() => readRootsOwn(`${folder}/file`, 10), UNTRUSTED);
    })),
);

Deno.test(
  needing(
    ["root"],
    "makeFolderFor() gives away what it made, and nothing else",
    () =>
      withFolder((folder) => {
        Deno.chmodSync(folder, 0o755);
        makeFolderFor(`${folder}/run/4242`, SOMEBODY);
        equal(Deno.lstatSync(`${folder}/run/4242`).uid, SOMEBODY.uid);
        equal(Deno.lstatSync(`${folder}/run`).uid, 0);
        makeFolderFor(`${folder}/run/4242`, SOMEBODY);
        Deno.mkdirSync(`${folder}/roots`);
        throws(() => makeFolderFor(`${folder}/roots`, SOMEBODY), UNTRUSTED);
        Deno.symlinkSync("roots", `${folder}/link`);
        throws(() => makeFolderFor(`${folder}/link`, SOMEBODY), UNTRUSTED);
        throws(() => makeFolderFor(`${folder}/run/4242/in-theirs`, SOMEBODY), UNTRUSTED);
        equal(Deno.lstatSync(`${folder}/roots`).uid, 0);
      }),
  ),
);
