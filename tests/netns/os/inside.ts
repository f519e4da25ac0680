/**
 * Namespaces that are a machine of their own, while somebody outside changes resolver files. Run by
 * tests/netns/os_test.ts.
 *
 * @module
 */
import { deepEqual } from "node:assert/strict";
import { machine } from "../../machine.ts";

const PROGRAM = new URL("./watch_inside.ts", import.meta.url).pathname;
const OURS = "nameserver 127.0.53.1";
const SOCKET = "/run/nscd/socket";

/** What somebody inside sees. */
interface Seen {
  /** The nameserver lines of the resolver file. */
  readonly file: string;
  /** Whether the socket of a name service is what it is outside. */
  readonly hasService: boolean;
  /** Whom our server forwards to. */
  readonly upstreams: string;
  /** How often ours was put back. */
  readonly reapplied: number;
}

Deno.test("the resolver file inside stays ours, whoever replaces or writes the machine's", async (t) => {
  const { mounts, processes } = machine;
  mounts.separate();
  // Folders that others may rename files in
  mounts.tmpfs("/etc", "mode=755");
  mounts.tmpfs("/run", "mode=755");
  await Deno.mkdir("/run/nscd");
  let service = Deno.listen({ transport: "unix", path: SOCKET });
  await Deno.writeTextFile("/etc/resolv.conf", "nameserver 192.0.2.1\n");
  const report = "/run/seen";
  const pid = processes.spawn({
    command: Deno.execPath(),
    args: ["run", "-A", "--no-check", PROGRAM],
    env: { ...Deno.env.toObject(), NO_COLOR: "1" },
    namespaces: { net: true, mount: true },
    stdout: { append: report },
    stderr: { append: "/run/complaints" },
    dieWithParent: true,
  });
  const sees = async (want: Partial<Seen>) => {
    const signal = AbortSignal.timeout(30_000);
    for (let last: Partial<Seen> = {};; await new Promise((resolve) => setTimeout(resolve, 20))) {
      const [line = ""] = (await Deno.readTextFile(report).catch(() => "")).split("\n").slice(-2);
      last = line === "" ? {} : JSON.parse(line);
      const part = Object.fromEntries(
        Object.keys(want).map((key) => [key, Reflect.get(last, key)]),
      );
      if (JSON.stringify(part) === JSON.stringify(want)) return;
      if (!signal.aborted) continue;
      deepEqual(last, want, await Deno.readTextFile("/run/complaints"));
    }
  };
  try {
    await sees({ file: OURS, hasService: false, upstreams: "192.0.2.1" });
    await t.step("another file is put there", async () => {
      await Deno.writeTextFile("/etc/resolv.conf.new", "nameserver 192.0.2.2\n");
      await Deno.rename("/etc/resolv.conf.new", "/etc/resolv.conf");
      await sees({ file: OURS, upstreams: "192.0.2.2" });
    });
    await t.step("it is written into", async () => {
      await Deno.writeTextFile("/etc/resolv.conf", "");
      await Deno.writeTextFile("/etc/resolv.conf", "nameserver 192.0.2.3\n");
      await sees({ file: OURS, upstreams: "192.0.2.3" });
    });
    await t.step("it becomes a link", async () => {
      await Deno.writeTextFile("/run/resolv.conf", "nameserver 192.0.2.4\n");
      await Deno.symlink("/run/resolv.conf", "/etc/resolv.conf.new");
      await Deno.rename("/etc/resolv.conf.new", "/etc/resolv.conf");
      await sees({ file: OURS, upstreams: "192.0.2.4" });
    });
    await t.step("it comes back, as it does when a VPN ends", async () => {
      await Deno.rename("/etc/resolv.conf", "/etc/resolv.conf.saved");
      await Deno.writeTextFile("/etc/resolv.conf", "nameserver 192.0.2.6\n");
      await sees({ file: OURS, upstreams: "192.0.2.6" });
      await Deno.rename("/etc/resolv.conf.saved", "/etc/resolv.conf");
      await sees({ file: OURS, upstreams: "192.0.2.4" });
    });
    await t.step("it is gone for a moment", async () => {
      await Deno.remove("/etc/resolv.conf");
      await sees({ file: "" });
      await Deno.writeTextFile("/etc/resolv.conf", "nameserver 192.0.2.5\n");
      await sees({ file: OURS, upstreams: "192.0.2.5" });
    });
    await t.step("a service that knows names is started again", async () => {
      await sees({ reapplied: 5, hasService: false });
      service.close();
      await Deno.remove(SOCKET).catch(() => {}); // it goes with its listener
      service = Deno.listen({ transport: "unix", path: SOCKET });
      await sees({ reapplied: 6, hasService: false });
    });
  } finally {
    service.close();
    Deno.kill(pid, "SIGKILL");
    await processes.wait(pid);
  }
});
