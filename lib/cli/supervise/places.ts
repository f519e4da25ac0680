/**
 * The folders and logs that the two processes need, and who may make them.
 *
 * @module
 */
import { OsError, VnetError } from "../../error.ts";
import type { Context } from "../context.ts";
import { journalDir } from "../journal.ts";
import { HELPER_SOCKET } from "../service/units.ts";

/** Where the sockets of owners without a folder of logind's are. */
const ROOT_RUNTIME_DIR = "/run/vnet";

/** Refuses to go on without root and without the helper service. @throws VnetError `not-permitted` */
export async function requireHelper(act: string): Promise<void> {
  if (Deno.uid() === 0) return;
  if (await Deno.lstat(HELPER_SOCKET).catch(() => null) !== null) return;
  throw new VnetError("not-permitted", `Cannot ${act}: this needs root or the helper service`, {
    hint: "Run `sudo vnet up`, or `sudo vnet service install` once",
  });
}

/**
 * Makes what only this process can make. What lies in the owner's own folders the daemon makes itself: root follows
 * no path that somebody else can bend.
 *
 * @throws OsError `folder-untrusted` where root would work in somebody else's folder; `directory-unusable` for a user
 * without a session: there is no folder for sockets, and only root can make one.
 */
export async function prepareFolders(context: Context, detach: boolean): Promise<void> {
  const { owner, paths } = context;
  const isRoots = paths.runtimeDir === `${ROOT_RUNTIME_DIR}/${owner.uid}`;
  if (Deno.uid() === 0) {
    const { folders } = (await context.machine()).root;
    await Deno.mkdir(folders.own(journalDir(context)), { recursive: true, mode: 0o711 });
    if (isRoots) folders.makeFor(paths.runtimeDir, owner);
    return;
  }
  if (isRoots && await Deno.lstat(paths.runtimeDir).catch(() => null) === null) {
    throw new OsError("directory-unusable", `Cannot make "${paths.runtimeDir}": only root can`, {
      call: "mkdir",
      errno: "EACCES",
      hint: "Log in so that there is a folder in /run/user, or set XDG_RUNTIME_DIR to one of yours",
    });
  }
  if (detach) await Deno.mkdir(paths.stateDir, { recursive: true, mode: 0o700 });
}

/** Where what the two processes of an owner write to stderr in the background is kept. */
export function logFile(context: Context, name: "helper" | "daemon"): string {
  if (Deno.uid() !== 0) return `${context.paths.stateDir}/${name}.log`;
  return `${journalDir(context)}/${name}-${context.owner.uid}.log`;
}

/** Where the daemon of this owner may log to in the background: started by root, or by itself. */
export function daemonLogs(context: Context): readonly string[] {
  return [
    `${journalDir(context)}/daemon-${context.owner.uid}.log`,
    `${context.paths.stateDir}/daemon.log`,
  ];
}

/**
 * Lets the owner read the log of a daemon that root started: by the group, where that is nobody else's. Root's file
 * it stays.
 */
export async function showLogToOwner({ owner }: Context, path: string): Promise<void> {
  const groups = await Deno.readTextFile("/etc/group").catch(() => "");
  const isOwn = groups.split("\n").some((line) => {
    const [name, , gid, members] = line.split(":");
    return name === owner.name && gid === `${owner.gid}` && members === "";
  });
  if (isOwn) await Deno.chown(path, null, owner.gid);
}

/** All that this user's processes append to here. */
export function logFiles(context: Context): readonly string[] {
  const names = Deno.uid() === 0 ? ["helper", "daemon"] as const : ["daemon"] as const;
  return names.map((name) => logFile(context, name));
}

/** Where it may say why vnet did not start. */
export function whereToLook(context: Context, detach: boolean): string {
  if (!detach) return "The lines above may say why; `--debug` says more";
  const helper = Deno.uid() === 0 ? logFile(context, "helper") : "`journalctl -u 'vnet-helper*'`";
  return `See ${logFile(context, "daemon")} and ${helper}`;
}
