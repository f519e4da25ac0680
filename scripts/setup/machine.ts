/**
 * Looks up what setting up needs to know of this machine, and installs packages on Debian and Ubuntu.
 *
 * @module
 */
import { NEEDS } from "./packages.ts";
import type { Facts } from "./plan.ts";

const FOLDERS = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/** It takes over `/etc/resolv.conf` of the machine. */
const NEVER = "systemd-resolved";

/** Says whether a program is in PATH or where root's are, or a file where its path says. */
export function isThere(program: string): boolean {
  if (program.startsWith("/")) return exists(program);
  const folders = [...(Deno.env.get("PATH") ?? "").split(":").filter(Boolean), ...FOLDERS];
  return folders.some((folder) => exists(`${folder}/${program}`));
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Asks dpkg once, and nothing over the network. */
export async function readFacts(): Promise<Facts> {
  return {
    osRelease: await Deno.readTextFile("/etc/os-release").catch(() => ""),
    isRoot: Deno.uid() === 0,
    installed: isThere("dpkg-query") && isThere("apt-get") ? await readInstalled() : null,
    present: new Set(NEEDS.flatMap(({ programs }) => programs).filter(isThere)),
  };
}

async function readInstalled(): Promise<Set<string>> {
  const { stdout } = await new Deno.Command("dpkg-query", {
    args: ["--show", "--showformat", "${Status}\t${Package}\n"],
    stderr: "null",
  }).output();
  const rows = new TextDecoder().decode(stdout).split("\n").map((line) => line.split("\t"));
  return new Set(
    rows.filter(([status]) => status === "install ok installed").map(([, name]) => name!),
  );
}

/**
 * Installs packages, starting no service.
 *
 * @returns Why it could not, in a line, or `null`.
 */
export async function install(packages: readonly string[]): Promise<string | null> {
  const undo = await forbidServices();
  try {
    if (packages.includes("postgresql")) await settleConfiguration();
    const updated = await apt(["update", "-qq", "-o", "Acquire::Retries=1"]);
    // apt ends well when it cannot reach anybody, and uses the lists it has.
    const cause = causeOf(updated.stderr);
    const wanted = ["install", "--yes", "-qq", "--no-install-recommends", ...packages];
    const rehearsed = await apt(["--simulate", ...wanted]);
    if (!rehearsed.success) return cause ?? causeOf(rehearsed.stderr) ?? "apt-get says no";
    if (rehearsed.stdout.includes(`Inst ${NEVER} `)) {
      return `apt-get would install ${NEVER}, which takes over this machine's resolver`;
    }
    // An existing configuration file, such as the one above, is kept without asking.
    const installed = await apt([
      ...["-o", "Dpkg::Use-Pty=0"],
      ...["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"],
      ...wanted,
    ]);
    return installed.success ? null : cause ?? causeOf(installed.stderr) ?? "apt-get failed";
  } finally {
    await undo();
  }
}

/** The first complaint of apt, shortened. */
function causeOf(stderr: string): string | null {
  return /^[EW]: (?:Failed to fetch )?(.{1,160})/m.exec(stderr)?.[1]?.trim() ?? null;
}

async function apt(args: readonly string[]) {
  const { success, stdout, stderr } = await new Deno.Command("apt-get", {
    args: [...args],
    env: { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" },
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  return { success, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/**
 * Maintainer scripts ask a program whether they may start a service; 101 is no. A policy that somebody else has put
 * there stays and wins.
 */
async function forbidServices(): Promise<() => Promise<void>> {
  const policy = "/usr/sbin/policy-rc.d";
  if (exists(policy)) return () => Promise.resolve();
  await Deno.writeTextFile(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  return () => Deno.remove(policy);
}

/** Debian's PostgreSQL would make and start a cluster of its own. */
async function settleConfiguration(): Promise<void> {
  const file = "/etc/postgresql-common/createcluster.conf";
  if (exists(file)) return;
  await Deno.mkdir("/etc/postgresql-common", { recursive: true });
  await Deno.writeTextFile(file, "create_main_cluster = false\n");
}
