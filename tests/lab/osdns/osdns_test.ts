/**
 * Hosts of every kind, each with the real resolver of its kind, pointed at us and back by the product's code.
 * One story a host; the picture is on top of host.sh.
 *
 * @module
 */
import { deepEqual, equal, notEqual } from "node:assert/strict";
import type { Checked } from "./host.ts";

const HERE = new URL(".", import.meta.url).pathname;
const REPOSITORY = new URL("../../../", import.meta.url).pathname.replace(/\/$/, "");
const CACHE = `${
  Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/root"}/.cache`
}/vnet-lab`;
const STORY_MS = 90_000;
const FETCH_MS = 60_000;
const UNFETCHABLE = "Debian packages that apt cannot fetch";
/** Once one kind's packages cannot be had, the others' are not waited for. */
let isOffline = false;

/** A kind of host: what is unpacked over this machine's files, and what is told there. */
interface Kind {
  readonly name: string;
  readonly packages: readonly string[];
  readonly story: string;
  readonly args: readonly string[];
}

const RESOLVED = ["systemd-resolved", "libnss-resolve", "dnsmasq-base"];
const MANAGER = ["network-manager", "dnsmasq-base"];
const KINDS: readonly Kind[] = [
  { name: "systemd-resolved", packages: RESOLVED, story: "resolved_story.ts", args: [] },
  { name: "plain resolv.conf", packages: RESOLVED, story: "direct_story.ts", args: [] },
  {
    name: "openresolv",
    packages: ["openresolv"],
    story: "resolvconf_story.ts",
    args: ["openresolv"],
  },
  {
    name: "Debian resolvconf",
    packages: ["resolvconf"],
    story: "resolvconf_story.ts",
    args: ["debian"],
  },
  {
    name: "NetworkManager with dnsmasq",
    packages: MANAGER,
    story: "nm_story.ts",
    args: ["dnsmasq"],
  },
  { name: "NetworkManager alone", packages: MANAGER, story: "nm_story.ts", args: ["default"] },
];

for (const kind of KINDS) {
  const lack = await lacking(kind);
  const mustRun = Deno.env.get("CI") !== undefined && lack === "root";
  Deno.test({
    name: `OS DNS on a host with ${kind.name}${lack === null ? "" : ` (needs ${lack})`}`,
    ignore: lack !== null && !mustRun,
    fn: async (t) => {
      if (lack !== null) throw new Error(`This machine lacks ${lack}`);
      const before = await machine();
      let checks = 0;
      for (const { name, failure } of await tell(kind)) {
        checks++;
        await t.step(name, () => equal(failure, null, failure ?? ""));
      }
      notEqual(checks, 0, "the story said nothing");
      deepEqual(await machine(), before);
    },
  });
}

/** Runs a story in a host of its own. @throws Error when it ends before its end */
async function tell(kind: Kind): Promise<Checked[]> {
  // The host has no way to the registry: what the story imports must be here already.
  await new Deno.Command(Deno.execPath(), { args: ["cache", "--quiet", `${HERE}${kind.story}`] })
    .output();
  const namespaces = ["--net", "--mount", "--pid", "--uts", "--ipc"];
  const child = new Deno.Command("unshare", {
    args: [
      ...[...namespaces, "--fork", "--kill-child", "--propagation", "private"],
      ...["bash", `${HERE}host.sh`, directoryOf(kind), REPOSITORY],
      ...[Deno.execPath(), "run", "--quiet", "--no-check", "--cached-only", "-A"],
      ...[`${HERE}${kind.story}`, ...kind.args],
    ],
    env: { DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  // unshare --fork ignores SIGTERM; its end by SIGKILL takes the whole host along.
  const deadline = setTimeout(() => child.kill("SIGKILL"), STORY_MS);
  const { code, stdout, stderr } = await child.output();
  clearTimeout(deadline);
  const decoder = new TextDecoder();
  const lines = decoder.decode(stdout).split("\n").filter((line) => line.startsWith("{"));
  if (code !== 0) throw new Error(`The story broke off: ${decoder.decode(stderr)}`);
  return lines.map((line): Checked => JSON.parse(line));
}

/** What of this machine must be the same afterwards. */
async function machine(): Promise<unknown> {
  const links = [...Deno.readDirSync("/sys/class/net")].map((entry) => entry.name).sort();
  const mounts = (await Deno.readTextFile("/proc/self/mounts")).split("\n").length;
  return {
    resolvConf: await Deno.readTextFile("/etc/resolv.conf").catch(() => null),
    links,
    mounts,
  };
}

/** @returns What the machine lacks for a kind of host, in words, or `null` */
async function lacking(kind: Kind): Promise<string | null> {
  if (Deno.build.os !== "linux") return "Linux";
  if (Deno.uid() !== 0) return "root";
  if (!await isThere("/dev/net/tun")) return "/dev/net/tun: `modprobe tun`";
  if (!/\boverlay\b/.test(await Deno.readTextFile("/proc/filesystems"))) return "overlayfs";
  for (
    const tool of ["unshare", "nsenter", "ip", "dig", "dnsmasq", "dbus-daemon", "busctl", "dpkg"]
  ) {
    const folders = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    const found = await Promise.all(folders.map((folder) => isThere(`${folder}/${tool}`)));
    if (!found.includes(true)) return `${tool}: scripts/lab_setup.sh`;
  }
  if (isOffline) return UNFETCHABLE;
  const fetched = await new Deno.Command("bash", {
    args: [`${HERE}packages.sh`, directoryOf(kind), ...kind.packages],
    stdout: "null",
    stderr: "null",
    signal: AbortSignal.timeout(FETCH_MS),
  }).output();
  if (fetched.success) return null;
  isOffline = true;
  return UNFETCHABLE;
}

function directoryOf(kind: Kind): string {
  return `${CACHE}/${kind.packages.join("+")}`;
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
