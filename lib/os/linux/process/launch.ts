/**
 * Becoming a command in namespaces that another process holds.
 *
 * @module
 * @see ffi/launch_linux.c
 */
import { OsError } from "../../../error.ts";
import type { Command, HeldNamespaces } from "../../processes.ts";
import { closeFd, cString, ensure, type Shim, shimPath } from "../shim.ts";
import { findCommand } from "./process.ts";

const PROGRAM_HEADERS_OFFSET = 32;
const PROGRAM_HEADER_SIZE = 54;
const PROGRAM_HEADERS_COUNT = 56;
const PT_INTERP = 3;
/** All of the program headers are in the first page of the file, or soon after it. */
const HEAD_BYTES = 65_536;

const SIGPIPE = 13;

/**
 * Opens the namespaces of a process that has some of its own, with its root and its directory.
 *
 * @throws {OsError} `namespaces-lost`
 */
export function holdNamespaces(shim: Shim, pid: number, hasUser: boolean): HeldNamespaces {
  const opened: number[] = [];
  const open = (path: string, directory: 0 | 1) => {
    const fd = ensure(
      shim,
      shim.symbols.vnet_file_open(cString(`/proc/${pid}/${path}`), directory),
      { act: `open "/proc/${pid}/${path}"`, call: "open", code: "namespaces-lost" },
    );
    opened.push(fd);
    return fd;
  };
  try {
    return {
      user: hasUser ? open("ns/user", 0) : null,
      net: open("ns/net", 0),
      mount: open("ns/mnt", 0),
      root: open("root", 1),
      directory: open("cwd", 1),
    };
  } catch (thrown) {
    for (const fd of opened) closeFd(shim, fd);
    throw thrown;
  }
}

/**
 * Becomes a command; this process has gone when it succeeds.
 *
 * @throws {OsError} `command-unknown`, `run-failed`
 */
export function become(shim: Shim, command: Command, namespaces: HeldNamespaces): never {
  const environment = Deno.readFileSync("/proc/self/environ");
  const entries = splitStrings(environment);
  const path = findCommand(command.name, Deno.env.toObject());
  const interpreter = ownInterpreter();
  const act = { act: `start "${command.name}"`, call: "execve", code: "run-failed" } as const;
  const library = ensure(shim, shim.symbols.vnet_file_open(cString(shimPath()), 0), act);
  const { user, net, mount, root, directory } = namespaces;
  const descriptors = [user ?? -1, net, mount, root, directory, library];
  const loaders = entries.filter(isLoaders);
  const encoder = new TextEncoder();
  const words = [
    interpreter,
    `/proc/self/fd/${library}`,
    descriptors.join(" "),
    `${fileLimitOf(parentLimits())} ${maskOf(command.ignored)}`,
    `${loaders.length}`,
  ].map((word) => encoder.encode(word));
  const args = typedBytes(Deno.readFileSync("/proc/self/cmdline"), [command.name, ...command.args]);
  const argv = joinStrings([...words, ...loaders, encoder.encode(path), ...args]);
  const env = joinStrings(entries.filter((entry) => !isLoaders(entry)));
  const kept = Int32Array.from(descriptors.filter((fd) => fd >= 0));
  const result = shim.symbols.vnet_execute(
    cString(interpreter),
    argv,
    argv.length,
    env,
    env.length,
    kept,
    kept.length,
  );
  closeFd(shim, library);
  ensure(shim, result, act);
  throw new OsError(act.code, `Cannot ${act.act}`, { call: act.call, errno: "EINVAL" });
}

/** Finds the dynamic loader that a program names, in the first bytes of its file. @returns `null` for none. */
export function interpreterOf(head: Uint8Array): string | null {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head.length < 64 || view.getUint32(0) !== 0x7f454c46 || head[4] !== 2) return null;
  const first = Number(view.getBigUint64(PROGRAM_HEADERS_OFFSET, true));
  const size = view.getUint16(PROGRAM_HEADER_SIZE, true);
  const count = view.getUint16(PROGRAM_HEADERS_COUNT, true);
  for (let at = first; at < first + size * count && at + 40 <= head.length; at += size) {
    if (view.getUint32(at, true) !== PT_INTERP) continue;
    const offset = Number(view.getBigUint64(at + 8, true));
    const length = Number(view.getBigUint64(at + 32, true));
    return new TextDecoder().decode(head.subarray(offset, offset + length)).split("\0", 1)[0] ?? "";
  }
  return null;
}

/** What a process was started with, byte for byte: names of files are not always text. */
export function typedBytes(
  cmdline: Uint8Array,
  words: readonly string[],
): readonly Uint8Array[] {
  const decoder = new TextDecoder();
  const typed = splitStrings(cmdline).slice(-words.length);
  const isTyped = typed.length === words.length &&
    typed.every((bytes, index) => decoder.decode(bytes) === words[index]);
  return isTyped ? typed : words.map((word) => new TextEncoder().encode(word));
}

/** Reads the soft limit of open files, which the runtime raises for itself. @returns 0 if nobody says. */
export function fileLimitOf(limits: string): number {
  return Number(/^Max open files +(\d+) /m.exec(limits)?.[1] ?? 0);
}

/** A bit for each signal that a program may be told to ignore; the runtime's own wish to ignore SIGPIPE is none. */
function maskOf(signals: readonly number[]): bigint {
  return signals.filter((number) => number !== SIGPIPE)
    .reduce((mask, number) => mask | 1n << BigInt(number - 1), 0n);
}

/** Cuts NUL-terminated strings apart. */
export function splitStrings(block: Uint8Array): Uint8Array[] {
  const strings: Uint8Array[] = [];
  for (let at = 0; at < block.length;) {
    const end = block.indexOf(0, at);
    strings.push(block.subarray(at, end < 0 ? block.length : end));
    at = end < 0 ? block.length : end + 1;
  }
  return strings;
}

function joinStrings(strings: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(strings.reduce((sum, { length }) => sum + length + 1, 0));
  let at = 0;
  for (const bytes of strings) {
    block.set(bytes, at);
    at += bytes.length + 1;
  }
  return block;
}

/** What the dynamic loader would obey before the command is there. */
function isLoaders(entry: Uint8Array): boolean {
  return new TextDecoder().decode(entry.subarray(0, 3)) === "LD_";
}

function ownInterpreter(): string {
  using file = Deno.openSync("/proc/self/exe");
  const head = new Uint8Array(HEAD_BYTES);
  const count = file.readSync(head) ?? 0;
  const found = interpreterOf(head.subarray(0, count));
  if (found !== null) return found;
  throw new OsError("run-failed", "Cannot start the command: vnet has no dynamic loader", {
    call: "execve",
    errno: "ENOEXEC",
  });
}

function parentLimits(): string {
  try {
    const [, parent] = /^PPid:\s*(\d+)$/m.exec(Deno.readTextFileSync("/proc/self/status")) ?? [];
    return Deno.readTextFileSync(`/proc/${parent}/limits`);
  } catch {
    return "";
  }
}
