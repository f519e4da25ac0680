/**
 * Starting programs with another identity, in other namespaces, with chosen descriptors; and mounts.
 *
 * @module
 * @see namespaces(7), credentials(7)
 */
import { BIND, SPAWN } from "deno_tun";
import { OsError } from "../../../error.ts";
import type { BindOptions } from "../../this_machine.ts";
import type { Capability, ExitReason, SpawnOptions, Stdio } from "../../processes.ts";
import {
  type Act,
  closeFd,
  cString,
  ensure,
  errnoName,
  osError,
  type Shim,
  UNSET,
} from "../shim.ts";
import { READABLE, Waiter } from "../waiter.ts";

const STEPS = [
  "starting",
  "reading its groups",
  "forking",
  "starting a session",
  "making namespaces",
  "mapping the user",
  "separating mounts",
  "placing descriptors",
  "changing the directory",
  "changing the user",
  "giving up privileges",
  "executing",
] as const;

/**
 * Starts a program.
 *
 * @returns Its process id; collect it with `waitProcess`. 0 for an orphan.
 * @throws {OsError} `spawn-failed` with the step that failed; `command-unknown` if there is no such program.
 */
export function spawn(shim: Shim, options: SpawnOptions): number {
  const env = options.env ?? Deno.env.toObject();
  const path = findCommand(options.command, env);
  const files: number[] = [];
  try {
    const descriptors = [
      stdioFd(shim, options.stdin ?? "null", 0, files),
      stdioFd(shim, options.stdout ?? "inherit", 1, files),
      stdioFd(shim, options.stderr ?? "inherit", 2, files),
      ...options.descriptors ?? [],
    ];
    return start(shim, path, env, descriptors, options);
  } finally {
    for (const fd of files) closeFd(shim, fd);
  }
}

function start(
  shim: Shim,
  path: string,
  env: Readonly<Record<string, string>>,
  descriptors: readonly number[],
  options: SpawnOptions,
): number {
  const argv = strings([options.command, ...options.args ?? []]);
  const environment = strings(Object.entries(env).map(([name, value]) => `${name}=${value}`));
  const step = new Uint32Array(1);
  const result = shim.symbols.vnet_spawn(
    cString(path),
    argv,
    argv.length,
    environment,
    environment.length,
    cString(options.cwd ?? ""),
    Int32Array.from(descriptors),
    descriptors.length,
    options.uid ?? UNSET,
    options.gid ?? UNSET,
    capabilityMask(options.capabilities),
    flagsOf(options),
    step,
  );
  return ensure(shim, result, {
    act: `start "${options.command}" (${STEPS[step[0] ?? 0]})`,
    call: "fork",
    code: "spawn-failed",
    cases: casesOf(step[0] ?? 0),
  });
}

/** What an errno means at a step. */
function casesOf(step: number): NonNullable<Act["cases"]> {
  if (STEPS[step] === "executing") return { ENOENT: { code: "command-unknown" } };
  return OF_NAMESPACES.has(STEPS[step] ?? "") ? DENIED : {};
}

const OF_NAMESPACES: ReadonlySet<string> = new Set([
  "making namespaces",
  "mapping the user",
  "separating mounts",
]);
const DENIED = Object.fromEntries(
  ["EPERM", "EACCES", "ENOSPC", "EUSERS"].map((errno) => [errno, { code: "namespaces-denied" }]),
);

function flagsOf(options: SpawnOptions): number {
  const { net, mount, user } = options.namespaces ?? {};
  return (options.newSession ? SPAWN.newSession : 0) |
    (net ? SPAWN.netNamespace : 0) |
    (mount ? SPAWN.mountNamespace : 0) |
    (user === undefined ? 0 : SPAWN.userNamespace) |
    (user === "root" ? SPAWN.mapRoot : 0) |
    (options.noNewPrivileges ? SPAWN.noNewPrivileges : 0) |
    (options.dieWithParent ? SPAWN.dieWithParent : 0) |
    (options.orphan ? SPAWN.orphan : 0) |
    (options.deaf ? SPAWN.deaf : 0);
}

/** Bits by linux/capability.h. */
const CAPABILITY_BITS: Readonly<Record<Capability, bigint>> = {
  "chown": 0n,
  "dac-read-search": 2n,
  "net-bind-service": 10n,
  "net-admin": 12n,
  "net-raw": 13n,
  "sys-ptrace": 19n,
  "sys-admin": 21n,
};

const ALL_CAPABILITIES = 0xffff_ffff_ffff_ffffn;

function capabilityMask(capabilities: readonly Capability[] | undefined): bigint {
  if (capabilities === undefined) return ALL_CAPABILITIES;
  return capabilities.reduce((mask, name) => mask | 1n << CAPABILITY_BITS[name], 0n);
}

/**
 * Waits until a child of ours ends, and collects it.
 *
 * @throws {OsError} `process-unknown` if it is not our child; the signal's reason when it is aborted.
 */
export async function waitProcess(
  shim: Shim,
  pid: number,
  signal?: AbortSignal,
): Promise<ExitReason> {
  const act: Act = { act: `wait for process ${pid}`, call: "waitpid", code: "process-unknown" };
  const fd = ensure(shim, shim.symbols.vnet_process_open(pid), act);
  const waiter = new Waiter(shim, fd);
  try {
    for (;;) {
      const result = shim.symbols.vnet_process_reap(pid);
      if (result >= 256) return { signal: result - 256 };
      if (result >= 0) return { code: result };
      if (errnoName(shim, -result) !== "EAGAIN") throw osError(shim, -result, act);
      await waiter.wait(READABLE, signal);
    }
  } finally {
    await waiter.close();
    closeFd(shim, fd);
  }
}

/**
 * Waits until somebody's process has ended; whether anybody has collected it does not count.
 *
 * @throws {OsError} `process-unknown` if there is none; the signal's reason when it is aborted.
 */
export async function processEnd(shim: Shim, pid: number, signal?: AbortSignal): Promise<void> {
  const act: Act = { act: `follow process ${pid}`, call: "pidfd_open", code: "process-unknown" };
  const fd = ensure(shim, shim.symbols.vnet_process_open(pid), act);
  const waiter = new Waiter(shim, fd);
  try {
    await waiter.wait(READABLE, signal);
  } finally {
    await waiter.close();
    closeFd(shim, fd);
  }
}

/** Whether a process is there and has not ended; a zombie waits for its parent, not for us. */
export async function isRunning(pid: number, procDir = "/proc"): Promise<boolean> {
  const stat = await Deno.readTextFile(`${procDir}/${pid}/stat`).catch(() => null);
  return stat !== null && !/\) Z /.test(stat);
}

/** Makes `source` appear at `target`, both of which exist. */
export function mountBind(
  shim: Shim,
  source: string,
  target: string,
  { readOnly = false, recursive = false }: BindOptions = {},
): void {
  const flags = (readOnly ? BIND.readOnly : 0) + (recursive ? BIND.recursive : 0);
  const result = shim.symbols.vnet_mount_bind(cString(source), cString(target), flags);
  ensure(shim, result, mountAct(`mount "${source}" at "${target}"`));
}

/** Mounts an empty file system in memory at `target`. */
export function mountTmpfs(shim: Shim, target: string, options = "mode=755"): void {
  const result = shim.symbols.vnet_mount_tmpfs(cString(target), cString(options));
  ensure(shim, result, mountAct(`mount a tmpfs at "${target}"`));
}

/** Takes away what is mounted at `target`; what is in use of it stays. */
export function mountRemove(shim: Shim, target: string): void {
  ensure(shim, shim.symbols.vnet_mount_remove(cString(target)), mountAct(`unmount "${target}"`));
}

/** Stops mounts of this mount namespace from reaching others and the other way round. */
export function makePrivate(shim: Shim): void {
  ensure(shim, shim.symbols.vnet_mount_private(), mountAct("separate the mounts"));
}

function mountAct(act: string): Act {
  return { act, call: "mount", code: "mount-failed" };
}

function strings(values: readonly string[]): Uint8Array<ArrayBuffer> {
  for (const value of values) {
    if (value.includes("\0")) throw new TypeError("Cannot pass a string with a NUL to C");
  }
  return new TextEncoder().encode(values.map((value) => `${value}\0`).join(""));
}

/** Looks a name up in PATH, as a shell does; a path is taken as it is. @throws {OsError} `command-unknown` */
export function findCommand(command: string, env: Readonly<Record<string, string>>): string {
  if (command.includes("/")) return command;
  for (const directory of (env.PATH ?? "/usr/bin:/bin").split(":")) {
    const path = `${directory === "" ? "." : directory}/${command}`;
    if (isExecutable(path)) return path;
  }
  throw new OsError("command-unknown", `Cannot start "${command}": it is not in PATH`, {
    call: "execve",
    errno: "ENOENT",
  });
}

function isExecutable(path: string): boolean {
  try {
    const { isFile, mode } = Deno.statSync(path);
    return isFile && ((mode ?? 0) & 0o111) !== 0;
  } catch (error) {
    // what cannot be looked at cannot be executed either
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return false;
    }
    if (error instanceof Deno.errors.PermissionDenied) return false;
    throw error;
  }
}

/** The descriptor of ours a child's becomes; files opened for it are added to `files`. */
function stdioFd(shim: Shim, stdio: Stdio, own: number, files: number[]): number {
  if (typeof stdio === "number") return stdio;
  if (stdio === "null") return -1;
  if (stdio === "inherit") return own;
  const fd = ensure(shim, shim.symbols.vnet_append_open(cString(stdio.append), 0o640), {
    act: `open "${stdio.append}"`,
    call: "open",
    code: "file-failed",
  });
  files.push(fd);
  return fd;
}
