/**
 * Where a user's things live. Configuration holds what a login gave, state what the daemon remembers, and the
 * runtime folder holds sockets.
 *
 * @module
 */
import { resolve } from "node:path/posix";
import { VnetError } from "../error.ts";

/** The account a daemon runs for. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
  readonly name: string;
  readonly homeDir: string;
}

/** The folders and sockets of one owner. */
export interface Paths {
  readonly configDir: string;
  readonly stateDir: string;
  readonly runtimeDir: string;
  readonly controlSocket: string;
  /** Where the daemon opens connections to apps for programs that need no address. */
  readonly appSocket: string;
}

/** What decides the paths. */
interface PathsInput {
  readonly home: string | undefined;
  readonly owner: Owner;
  readonly env: (name: string) => string | undefined;
  /** Whether the environment is the owner's own; under sudo it is not, and XDG variables do not count. */
  readonly ownEnvironment: boolean;
  readonly isDirectory: (path: string) => boolean;
}

/** Names every path of one owner; nothing is created. */
export function resolvePaths(input: PathsInput): Paths {
  const { owner } = input;
  if (input.home !== undefined) {
    const home = resolve(input.home); // Names are compared: they have one form only.
    return withSockets(`${home}/config`, `${home}/state`, `${home}/run`);
  }
  const xdg = (name: string): string | undefined =>
    input.ownEnvironment ? input.env(name) : undefined;
  const config = xdg("XDG_CONFIG_HOME") ?? `${owner.homeDir}/.config`;
  const state = xdg("XDG_STATE_HOME") ?? `${owner.homeDir}/.local/state`;
  return withSockets(`${config}/vnet`, `${state}/vnet`, runtimeDir(input, xdg("XDG_RUNTIME_DIR")));
}

/** Where the sockets of a daemon are that runs as `vnet@NAME.service`; it is there only while that runs. */
export function serviceRuntimeDir(owner: Owner): string {
  return `/run/vnet-daemon/${owner.name}`;
}

function runtimeDir(input: PathsInput, fromEnvironment: string | undefined): string {
  const service = serviceRuntimeDir(input.owner);
  if (input.isDirectory(service)) return service;
  if (fromEnvironment !== undefined) return `${fromEnvironment}/vnet`;
  const logind = `/run/user/${input.owner.uid}`;
  return input.isDirectory(logind) ? `${logind}/vnet` : `/run/vnet/${input.owner.uid}`;
}

function withSockets(configDir: string, stateDir: string, runtimeDir: string): Paths {
  return {
    configDir,
    stateDir,
    runtimeDir,
    controlSocket: `${runtimeDir}/control.sock`,
    appSocket: `${runtimeDir}/apps.sock`,
  };
}

/**
 * Finds the account that `vnet` acts for: the invoker of sudo, else whoever runs it.
 *
 * @throws VnetError `owner-unknown` when SUDO_UID names no account of this machine.
 */
export function findOwner(
  uid: number,
  gid: number,
  env: (name: string) => string | undefined,
  passwd: string,
): Owner {
  const sudoUid = uid === 0 ? env("SUDO_UID") : undefined;
  const wanted = sudoUid === undefined ? uid : parseUid(sudoUid);
  for (const line of passwd.split("\n")) {
    const [name, , entryUid, entryGid, , homeDir] = line.split(":");
    if (name === undefined || homeDir === undefined || Number(entryUid) !== wanted) continue;
    return { uid: wanted, gid: Number(entryGid), name, homeDir };
  }
  if (sudoUid !== undefined) {
    const home = env("SUDO_HOME");
    const name = env("SUDO_USER");
    if (home !== undefined && name !== undefined) {
      return { uid: wanted, gid: parseUid(env("SUDO_GID") ?? ""), name, homeDir: home };
    }
    throw new VnetError("owner-unknown", `Cannot find the account with uid ${wanted}`, {
      hint: "Pass --home DIR, or run `vnet up` from a shell of that account with sudo",
    });
  }
  return { uid, gid, name: env("USER") ?? String(uid), homeDir: env("HOME") ?? "/" };
}

function parseUid(text: string): number {
  if (!/^[0-9]{1,10}$/.test(text)) {
    throw new VnetError("owner-unknown", `Cannot read the uid "${text}" that sudo left`, {
      hint: "Unset SUDO_UID and SUDO_GID, or run through sudo",
    });
  }
  return Number(text);
}
