/**
 * The machine's own tools: systemctl, groupadd, and what /etc/passwd and /etc/group say.
 *
 * @module
 */
import { dirname } from "node:path";
import { VnetError } from "../../error.ts";
import type { Owner } from "../../client/paths.ts";

const DEADLINE_MS = 30_000;
const PATH = "/usr/sbin:/usr/bin:/sbin:/bin";

/** Whether systemd is process 1 here. @see sd_booted(3) */
export async function hasSystemd(): Promise<boolean> {
  const found = await Deno.lstat("/run/systemd/system").catch(() => null);
  return found?.isDirectory ?? false;
}

/** Runs one of the system's programs. @throws VnetError `service-command-failed` with what it said */
export function system(command: string, ...args: readonly string[]): Promise<string> {
  return systemWith({}, command, args);
}

/**
 * Asks the systemd of this process's own user.
 *
 * @throws VnetError `service-command-failed`, also where that user has none
 */
export function userSystemctl(
  env: (name: string) => string | undefined,
  ...args: readonly string[]
): Promise<string> {
  const passed = ["XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"].flatMap((name) => {
    const value = env(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return systemWith(Object.fromEntries(passed), "systemctl", ["--user", ...args]);
}

async function systemWith(
  env: Readonly<Record<string, string>>,
  command: string,
  args: readonly string[],
): Promise<string> {
  const output = await new Deno.Command(command, {
    args: [...args],
    stdin: "null",
    clearEnv: true,
    env: { ...env, PATH, LANG: "C.UTF-8" },
    signal: AbortSignal.timeout(DEADLINE_MS),
  }).output().catch((cause) => {
    throw failed(command, args, cause instanceof Error ? cause.message : String(cause));
  });
  const text = new TextDecoder();
  if (output.success) return text.decode(output.stdout);
  throw failed(command, args, text.decode(output.stderr).trim());
}

function failed(command: string, args: readonly string[], why: string): VnetError {
  const line = [command, ...args].join(" ");
  return new VnetError("service-command-failed", `Cannot run "${line}": ${why}`, {
    hint: "Run the command by hand to see why",
  });
}

/** The members of a group that /etc/group names; `null` if it has no such group. */
export async function groupMembers(name: string): Promise<readonly string[] | null> {
  const lines = (await Deno.readTextFile("/etc/group")).split("\n");
  const entry = lines.map((line) => line.split(":")).find(([group]) => group === name);
  if (entry === undefined) return null;
  return (entry[3] ?? "").split(",").filter((member) => member !== "").sort();
}

/** Characters that neither a shell nor a unit file reads in a way of its own. */
const PLAIN_NAME = /^[a-z_][a-z0-9_.-]{0,31}$/i;
export const PLAIN_PATH = /^(\/[A-Za-z0-9._@+-]+)+$/;

/** Finds an account to run a daemon for. @throws VnetError `service-user-unusable` */
export async function findAccount(name: string): Promise<Owner> {
  const refuse = (state: string) =>
    new VnetError("service-user-unusable", `Cannot run vnet for user "${name}": ${state}`, {
      hint: "Name a user of /etc/passwd with a home of their own",
    });
  if (!PLAIN_NAME.test(name)) throw refuse("a unit cannot have that name");
  const lines = (await Deno.readTextFile("/etc/passwd")).split("\n");
  const entry = lines.map((line) => line.split(":")).find(([user]) => user === name);
  const [, , uid, gid, , homeDir] = entry ?? [];
  if (uid === undefined || homeDir === undefined) throw refuse("/etc/passwd has no such user");
  if (Number(uid) === 0) throw refuse("the daemon never runs as root");
  if (!PLAIN_PATH.test(homeDir)) throw refuse(`the path of the home, ${homeDir}, is not plain`);
  return { uid: Number(uid), gid: Number(gid), name, homeDir };
}

/**
 * Refuses a program that somebody other than root could replace: the unit runs it as root.
 *
 * @throws VnetError `service-program-unusable`
 */
export async function refuseProgram(program: string): Promise<void> {
  const refuse = (state: string) =>
    new VnetError("service-program-unusable", `Cannot have "${program}" run as root: ${state}`, {
      hint: "Install it first: `sudo install -m 755 vnet /usr/local/bin/`, and run that one",
    });
  if (!PLAIN_PATH.test(program)) throw refuse("its path has special characters");
  if (/^\/(home|root|run\/user|tmp|var\/tmp)\//.test(program)) {
    throw refuse("services do not see that folder");
  }
  for (let path = await Deno.realPath(program);; path = dirname(path)) {
    const { uid, mode } = await Deno.stat(path);
    if (uid !== 0) throw refuse(`${path} does not belong to root`);
    if (((mode ?? 0) & 0o022) !== 0) throw refuse(`${path} may be written by others`);
    if (path === "/") return;
  }
}
