import { deepEqual, equal, match, notEqual, ok, rejects, throws } from "node:assert/strict";
import type { SpawnOptions } from "../../processes.ts";
import { isRunning, spawn, waitProcess } from "./process.ts";
import { SeqpacketSocket, socketPair } from "../net/seqpacket.ts";
import { closeFd, loadShim } from "../shim.ts";

const shim = loadShim();
const root = Deno.uid() === 0;
const needsRoot = root ? "" : " (needs root)";

/** Runs a shell command and returns what it printed. */
async function shell(script: string, options: Partial<SpawnOptions> = {}): Promise<string> {
  const file = await Deno.makeTempFile();
  try {
    const pid = spawn(shim, {
      command: "sh",
      args: ["-c", script],
      stdout: { append: file },
      stderr: { append: file },
      ...options,
    });
    deepEqual(await waitProcess(shim, pid), { code: 0 }, await Deno.readTextFile(file));
    return (await Deno.readTextFile(file)).trim();
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("waitProcess() says how it ended", async () => {
  const cases: [script: string, want: unknown][] = [
    ["exit 0", { code: 0 }],
    ["exit 7", { code: 7 }],
    ["exit 255", { code: 255 }],
    ["kill -9 $$", { signal: 9 }],
    ["kill -TERM $$", { signal: 15 }],
  ];
  for (const [script, want] of cases) {
    const pid = spawn(shim, { command: "/bin/sh", args: ["-c", script] });
    deepEqual(await waitProcess(shim, pid), want, script);
  }
  await rejects(waitProcess(shim, Deno.pid), { code: "process-unknown" });
});

Deno.test("waitProcess() ends when its signal is aborted; the child lives on", async () => {
  const pid = spawn(shim, { command: "sleep", args: ["60"] });
  const controller = new AbortController();
  const waiting = rejects(waitProcess(shim, pid, controller.signal), { name: "AbortError" });
  controller.abort();
  await waiting;
  Deno.kill(pid, "SIGKILL");
  deepEqual(await waitProcess(shim, pid), { signal: 9 });
});

Deno.test("spawn() passes arguments, environment and directory as they are", async () => {
  const script = 'printf "%s|" "$0" "$1" "$2" "$A" "$PWD" "${HOME-none}"';
  const printed = await shell("", {
    args: ["-c", script, "zero", "", "two words"],
    env: { A: "ä=b", PATH: Deno.env.get("PATH") ?? "" },
    cwd: "/usr",
  });
  equal(printed, "zero||two words|ä=b|/usr|none|");
});

Deno.test("spawn() says which step failed", () => {
  const cases: [options: SpawnOptions, want: RegExp, code: string][] = [
    [{ command: "/nonexistent" }, /\(executing\): it does not exist/, "command-unknown"],
    [{ command: "no-such-program" }, /it is not in PATH/, "command-unknown"],
    [{ command: "/etc/passwd" }, /\(executing\): permission denied/, "spawn-failed"],
    [{ command: "sh", cwd: "/nonexistent" }, /\(changing the directory\)/, "spawn-failed"],
    [{ command: "sh", stdin: 100_000 }, /\(placing descriptors\): EBADF/, "spawn-failed"],
  ];
  for (const [options, message, code] of cases) {
    throws(() => spawn(shim, options), (error: Error & { code?: string }) => {
      match(error.message, message);
      equal(error.code, code);
      return true;
    });
  }
  throws(() => spawn(shim, { command: "sh", args: ["a\0b"] }), TypeError);
});

Deno.test("spawn() hands over exactly the descriptors named", async () => {
  const [ours, theirs] = socketPair(shim);
  const listed = await shell("ls -1 /proc/self/fd | tr '\\n' ' '", {
    descriptors: [theirs, theirs],
  });
  // 5 is ls's own, on the folder
  equal(listed, "0 1 2 3 4 5");
  closeFd(shim, ours);
  closeFd(shim, theirs);
});

Deno.test("spawn() gives a child a socket to talk over", async () => {
  const [ours, theirs] = socketPair(shim);
  const script = `
    const { loadShim } = await import("${import.meta.resolve("../shim.ts")}");
    const { SeqpacketSocket } = await import("${import.meta.resolve("../net/seqpacket.ts")}");
    const socket = SeqpacketSocket.fromFd(loadShim(), 3);
    const message = await socket.receive();
    await socket.send(message.bytes.toReversed());
    await socket.close();
  `;
  const pid = spawn(shim, {
    command: Deno.execPath(),
    args: ["eval", "--no-check", script],
    descriptors: [theirs],
  });
  closeFd(shim, theirs);
  await using socket = SeqpacketSocket.fromFd(shim, ours);
  await socket.send(Uint8Array.of(1, 2, 3));
  deepEqual((await socket.receive())?.bytes, Uint8Array.of(3, 2, 1));
  equal(await socket.receive(), null);
  deepEqual(await waitProcess(shim, pid), { code: 0 });
});

Deno.test("spawn() resets signals the runtime ignores", async () => {
  const printed = await shell("grep SigIgn /proc/self/status");
  const ignored = BigInt(`0x${/SigIgn:\s*([0-9a-f]+)/.exec(printed)?.[1]}`);
  // The C library keeps signals 32 and 33 to itself: whoever started us may have left them ignored.
  const reserved = (1n << 31n) | (1n << 32n);
  equal(ignored & ~reserved, 0n);
});

Deno.test("spawn() can start a session and forbid new privileges", async () => {
  const printed = await shell("ps -o sid= -p $$ | tr -d ' '; grep NoNewPrivs /proc/self/status", {
    newSession: true,
    noNewPrivileges: true,
  });
  const [session, privileges] = printed.split("\n");
  notEqual(session, (await shell("ps -o sid= -p $$ | tr -d ' '")).trim());
  equal(privileges, "NoNewPrivs:\t1");
});

Deno.test("spawn() kills a child whose parent dies", async () => {
  const script = `
    const { loadShim } = await import("${import.meta.resolve("../shim.ts")}");
    const { spawn } = await import("${import.meta.resolve("./process.ts")}");
    const pid = spawn(loadShim(), { command: "sleep", args: ["60"], dieWithParent: true });
    console.log(pid);
    Deno.exit(0);
  `;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", script],
  }).output();
  const pid = Number(new TextDecoder().decode(stdout));
  ok(pid > 0);
  await rejects(async () => {
    // the kernel kills it before the parent is collected, but it may take a moment to be gone
    for (let tries = 0; tries < 100_000; tries++) {
      const state = await Deno.readTextFile(`/proc/${pid}/stat`);
      if (/\) Z /.test(state)) throw new Deno.errors.NotFound("a zombie");
    }
  }, Deno.errors.NotFound);
});

Deno.test({
  name: `spawn() changes user, group and groups${needsRoot}`,
  ignore: !root,
  fn: async () => {
    equal(await shell("id -u; id -g; id -G", { uid: 12345, gid: 23456 }), "12345\n23456\n23456");
    const nobody = await shell("id -u; id -g; id -G; grep CapEff /proc/self/status", {
      uid: 65534,
    });
    match(nobody, /^65534\n65534\n65534\nCapEff:\t0000000000000000$/);
    throws(() => spawn(shim, { command: "sh", uid: 4_000_000_000 }), { errno: "ESRCH" });
  },
});

Deno.test({
  name: `spawn() leaves a child, and what it starts, the capabilities it is given${needsRoot}`,
  ignore: !root,
  fn: async () => {
    const script = "exec sh -c 'grep ^Cap /proc/self/status'";
    const sets = async (options: Partial<SpawnOptions>) =>
      Object.fromEntries(
        (await shell(script, options)).split("\n").map((line) => line.split(/:\s+/)),
      );
    const some = "0000000000003001";
    const none = "0000000000000000";
    deepEqual(
      await sets({ capabilities: ["chown", "net-admin", "net-raw"], noNewPrivileges: true }),
      { CapInh: none, CapPrm: some, CapEff: some, CapBnd: some, CapAmb: none },
    );
    const nothing = { CapInh: none, CapPrm: none, CapEff: none, CapBnd: none, CapAmb: none };
    deepEqual(await sets({ capabilities: [] }), nothing);
    deepEqual(await sets({ capabilities: [], uid: 12345, gid: 12345 }), nothing);
  },
});

Deno.test({
  name: `spawn() makes network and mount namespaces${needsRoot}`,
  ignore: !root,
  fn: async () => {
    const namespaces = { net: true, mount: true };
    const script = "readlink /proc/self/ns/net /proc/self/ns/mnt; cat /proc/net/dev | grep -c :";
    const [net, mount, links] = (await shell(script, { namespaces })).split("\n");
    notEqual(net, await Deno.readLink("/proc/self/ns/net"));
    notEqual(mount, await Deno.readLink("/proc/self/ns/mnt"));
    equal(links, "1");
  },
});

/** Whether this machine lets this user make user namespaces. */
async function hasUserNamespaces(): Promise<boolean> {
  try {
    const pid = spawn(shim, { command: "true", namespaces: { user: "root" } });
    await waitProcess(shim, pid);
    return true;
  } catch {
    return false;
  }
}

const userNamespaces = await hasUserNamespaces();

Deno.test({
  name: `spawn() makes user namespaces${userNamespaces ? "" : " (needs user namespaces)"}`,
  ignore: !userNamespaces,
  fn: async () => {
    const script = "id -u; id -g; cat /proc/self/uid_map | tr -s ' '";
    const asRoot = await shell(script, { namespaces: { user: "root", net: true } });
    equal(asRoot, `0\n0\n 0 ${Deno.uid()} 1`);
    const asSelf = await shell(script, { namespaces: { user: "self" } });
    equal(asSelf, `${Deno.uid()}\n${Deno.gid()}\n ${Deno.uid()} ${Deno.uid()} 1`);
    throws(() => spawn(shim, { command: "sh", uid: 1, namespaces: { user: "root" } }), {
      errno: "EINVAL",
    });
  },
});

Deno.test("isRunning() knows what runs, what has ended and what only waits to be collected", async () => {
  equal(await isRunning(Deno.pid), true);
  const dir = await Deno.makeTempDir();
  try {
    const stats: [pid: number, stat: string, want: boolean][] = [
      [7, "7 (vnet) S 1 7 7 0 -1", true],
      [8, "8 (vnet) Z 1 8 8 0 -1", false],
    ];
    for (const [pid, stat, want] of stats) {
      await Deno.mkdir(`${dir}/${pid}`);
      await Deno.writeTextFile(`${dir}/${pid}/stat`, stat);
      equal(await isRunning(pid, dir), want);
    }
    equal(await isRunning(10, dir), false);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
