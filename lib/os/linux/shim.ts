/**
 * The door to the C shim: finds and loads it once, and turns `-errno` into `OsError`.
 *
 * A test that uses the shim calls `loadShim()` at the top of its file, outside `Deno.test`: the library stays
 * loaded for the life of the process, which the resource sanitizer would call a leak inside a test.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { load, type Shim } from "deno_tun";
import { OsError } from "../../error.ts";

export type { Shim };

/** A value for the rest of the call when there is nothing to pass: ids, owners. */
export const UNSET = 0xffff_ffff;

let loaded: Shim | null = null;

/**
 * Says where the shim is: what the packed executable names, else the build beside the sources.
 */
export function shimPath(): string {
  const packed: unknown = Reflect.get(globalThis, Symbol.for("vnet.shim"));
  if (typeof packed === "string") return packed;
  return fileURLToPath(new URL("../../../ffi/build/libdeno_tun.so", import.meta.url));
}

/**
 * Loads the shim; later calls return the same library.
 *
 * @throws {OsError} `shim-missing` if it was not built, `shim-unusable` if it cannot be loaded or is another version.
 */
export function loadShim(): Shim {
  loaded ??= open(shimPath());
  return loaded;
}

function open(path: string): Shim {
  try {
    return load(path);
  } catch (cause) {
    const state = cause instanceof Error ? cause.message : String(cause);
    const missing = /No such file/.test(state);
    throw new OsError(
      missing ? "shim-missing" : "shim-unusable",
      `Cannot load shim "${path}": ${missing ? "it was not built" : state}`,
      {
        call: "dlopen",
        errno: missing ? "ENOENT" : "ELIBBAD",
        hint: "Run `deno task shim`",
        cause,
      },
    );
  }
}

/** What to say when a call of the shim fails. */
export interface Act {
  /** What was tried, to follow "Cannot ": `open TUN device "vnet0"`. */
  readonly act: string;
  /** The system call or request that speaks through the errno. */
  readonly call: string;
  /** The error's code where `cases` has none for the errno. */
  readonly code: string;
  /** Codes, states and hints of particular errnos. */
  readonly cases?: Readonly<Record<string, ActCase>>;
}

/** What one errno means for one act. */
interface ActCase {
  readonly code?: string;
  readonly state?: string;
  readonly hint?: string;
}

const STATES: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EADDRINUSE: "the address is in use",
  EBUSY: "it is busy",
  EEXIST: "it exists already",
  EINVAL: "the system does not accept it",
  EMFILE: "too many open files",
  ENODEV: "no such device",
  ENOENT: "it does not exist",
  EOPNOTSUPP: "the system does not support it",
  EPERM: "operation not permitted",
};

/** Names an errno: 1 is `"EPERM"`. */
export function errnoName(shim: Shim, errno: number): string {
  const out = new Uint8Array(32);
  const length = shim.symbols.vnet_errno_name(errno, out, out.length);
  return length < 0 ? `E${errno}` : new TextDecoder().decode(out.subarray(0, length));
}

/** Makes the error of a failed call; `errno` is positive. */
export function osError(shim: Shim, errno: number, act: Act): OsError {
  const name = errnoName(shim, errno);
  const special = act.cases?.[name];
  const words = special?.state ?? STATES[name];
  return new OsError(
    special?.code ?? act.code,
    `Cannot ${act.act}: ${words === undefined ? name : `${words} (${name})`}`,
    {
      call: act.call,
      errno: name,
      ...(special?.hint === undefined ? {} : { hint: special.hint }),
    },
  );
}

/**
 * Passes a call's result on if it is not negative.
 *
 * @throws {OsError} As `act` says.
 */
export function ensure(shim: Shim, result: number, act: Act): number {
  if (result < 0) throw osError(shim, -result, act);
  return result;
}

/** Encodes a NUL-terminated string for C. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  if (text.includes("\0")) throw new TypeError("Cannot pass a string with a NUL to C");
  return new TextEncoder().encode(`${text}\0`);
}

/** Reads a NUL-terminated string that C wrote. */
export function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** Closes a descriptor that came from here. */
export function closeFd(shim: Shim, fd: number): void {
  ensure(shim, shim.symbols.vnet_close(fd), {
    act: `close descriptor ${fd}`,
    call: "close",
    code: "descriptor-closed",
  });
}
