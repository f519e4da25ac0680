/**
 * Puts the runtime, the stub and the program's parts into one file. Pure: bytes in, bytes out, and the same
 * bytes for the same input.
 *
 * @module
 */
import {
  type Elf,
  EM_X86_64,
  gotSlotOf,
  graft,
  PAGE_SIZE,
  parseElf,
  planGraft,
  roundUp,
} from "./elf.ts";
import { BuildError } from "./build_error.ts";
import { encodeStub, type Part, type Stub, stubSize } from "./stub.ts";

/** What goes into a packed executable. */
export interface Ingredients {
  /** The deno executable from the npm registry. */
  readonly runtime: Uint8Array;
  readonly stub: Stub;
  /** The program as one CommonJS script, ASCII only. */
  readonly bundle: Uint8Array;
  /** V8's code cache of it. */
  readonly cache: Uint8Array;
  readonly shim: Uint8Array;
  /** Boot script, compiled from boot.ts; it reads the constant `packed` that is put before it. */
  readonly boot: string;
  readonly commit: string;
}

/** What boot.ts is told about the file it is in. */
export interface Packed {
  readonly bundle: Part;
  readonly cache: Part;
  readonly commit: string;
  /** Names of the environment variables that the stub replaced. */
  readonly replaced: readonly string[];
}

/** How the runtime is started: nothing read from the working directory, nothing asked, nothing fetched. */
const ARGS: readonly string[] = [
  "run",
  "--allow-all",
  "--unstable-net",
  "--unstable-no-legacy-abort",
  "--no-prompt",
  "--no-check",
  "--no-config",
  "--no-lock",
  "--no-npm",
  "--no-remote",
  "--no-code-cache",
  "--ext=js",
];

/**
 * The environment while the runtime starts; boot.ts gives the user's back. The runtime's caches would be files
 * outside our own state: a folder that cannot exist keeps it from writing. In the home folder it would read
 * .npmrc, and not start if that is broken. On a terminal it would complain about the caches.
 */
const ENV: readonly string[] = [
  "DENO_DIR=/proc/vnet",
  "DENO_LOG=error,deno::cache=off",
  "DENO_NO_UPDATE_CHECK=1",
  "HOME=/nonexistent",
];

/** Makes the executable. @throws {BuildError} `runtime-unsuitable` if the runtime cannot be used so. */
export function pack(parts: Ingredients): Uint8Array {
  const runtime = parseRuntime(parts.runtime);
  const environ = gotSlotOf(runtime, "environ");
  if (environ === null) {
    throw new BuildError(
      "runtime-unsuitable",
      `The runtime does not use "environ" of the C library`,
    );
  }
  const { offset, address } = planGraft(runtime);
  const size = stubSize(parts.stub, { args: ARGS, env: ENV });
  const tailOffset = roundUp(offset + size, PAGE_SIZE);

  const bundle = { offset: tailOffset, size: parts.bundle.length };
  const cache = behind(bundle, parts.cache);
  const shim = behind(cache, parts.shim);
  const boot = encodeBoot(parts, { bundle, cache });
  const bootPart = behind(shim, boot);

  const tail = new Uint8Array(bootPart.offset + bootPart.size - tailOffset);
  tail.set(parts.bundle, bundle.offset - tailOffset);
  tail.set(parts.cache, cache.offset - tailOffset);
  tail.set(parts.shim, shim.offset - tailOffset);
  tail.set(boot, bootPart.offset - tailOffset);
  const blob = encodeStub(parts.stub, {
    entryDelta: runtime.entry - address,
    environDelta: environ - address,
    boot: bootPart,
    shim,
    args: ARGS,
    env: ENV,
  });
  return graft(runtime, blob, parts.stub.entryOffset, tail);
}

function parseRuntime(bytes: Uint8Array): Elf {
  try {
    const elf = parseElf(bytes);
    if (elf.machine === EM_X86_64) return elf;
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
  }
  throw new BuildError("runtime-unsuitable", "The runtime is not an x86-64 ELF executable", {
    hint: "On other machines build with `deno compile`: set DENORT_BIN or connect to the network",
  });
}

/** Places a part on the next page after another. */
function behind(previous: Part, bytes: Uint8Array): Part {
  return { offset: roundUp(previous.offset + previous.size, PAGE_SIZE), size: bytes.length };
}

function encodeBoot(parts: Ingredients, places: Pick<Packed, "bundle" | "cache">): Uint8Array {
  const packed: Packed = {
    ...places,
    commit: parts.commit,
    replaced: ENV.map((entry) => entry.slice(0, entry.indexOf("="))),
  };
  return new TextEncoder().encode(`const packed = ${JSON.stringify(packed)};\n${parts.boot}`);
}
