/**
 * Starts a host of a kind for a story, and hears what it says.
 *
 * @module
 */
import { lacking } from "../../needs.ts";
import type { Checked } from "./host.ts";

const HERE = new URL(".", import.meta.url).pathname;
const REPOSITORY = new URL("../../../", import.meta.url).pathname.replace(/\/$/, "");
const CACHE = `${
  Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/root"}/.cache`
}/vnet-lab`;
const STORY_MS = 90_000;
const FETCH_MS = 120_000;
const UNFETCHABLE = "Debian packages that apt cannot fetch";
const TOOLS = ["unshare", "nsenter", "ip", "dig", "dnsmasq", "dbus-daemon", "busctl", "dpkg-deb"];
/** Once one kind's packages cannot be had, the others' are not waited for. */
let isOffline = false;

/** A kind of host: what is unpacked over this machine's files, and what is told there. */
export interface Kind {
  readonly name: string;
  readonly packages: readonly string[];
  readonly story: string;
  readonly args: readonly string[];
}

/** Runs a story in a host of its own. @throws Error when it ends before its end */
export async function tell(kind: Kind): Promise<Checked[]> {
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
export async function machine(): Promise<unknown> {
  const links = [...Deno.readDirSync("/sys/class/net")].map((entry) => entry.name).sort();
  const mounts = (await Deno.readTextFile("/proc/self/mounts")).split("\n").length;
  return {
    resolvConf: await Deno.readTextFile("/etc/resolv.conf").catch(() => null),
    links,
    mounts,
  };
}

/** @returns What the machine lacks for a kind of host. */
export async function lackingFor(kind: Kind): Promise<string[]> {
  const missing = lacking(["Linux", "root", "/dev/net/tun", ...TOOLS]);
  if (missing.length > 0) return missing;
  if (!/\boverlay\b/.test(await Deno.readTextFile("/proc/filesystems"))) return ["overlayfs"];
  if (isOffline) return [UNFETCHABLE];
  const fetched = await new Deno.Command("bash", {
    args: [`${HERE}packages.sh`, directoryOf(kind), ...kind.packages],
    stdout: "null",
    stderr: "null",
    signal: AbortSignal.timeout(FETCH_MS),
  }).output();
  if (fetched.success) return [];
  isOffline = true;
  return [UNFETCHABLE];
}

function directoryOf(kind: Kind): string {
  return `${CACHE}/${kind.packages.join("+")}`;
}
