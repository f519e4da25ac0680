/**
 * The first script of the packed executable: tells the program where it is, then runs its bundle from V8's
 * code cache. The packer (pack.ts) puts `const packed = {…}` before it; the stub (stub.c) starts the runtime on
 * it, as file:///proc/self/fd/B?shim=S.
 *
 * @module
 */
import type { Packed } from "./pack.ts";
import type { Part } from "./stub.ts";
import { Script } from "node:vm";
import { requireBuiltin } from "./require.ts";

declare const packed: Packed;

/** Gives back the environment that the stub replaced for the runtime's sake. */
function restoreEnvironment(): void {
  const original = Deno.readTextFileSync("/proc/self/environ").split("\0");
  for (const name of packed.replaced) {
    const entry = original.find((e) => e.startsWith(`${name}=`));
    if (entry === undefined) Deno.env.delete(name);
    else Deno.env.set(name, entry.slice(name.length + 1));
  }
}

function readPart(file: Deno.FsFile, part: Part): Uint8Array {
  const bytes = new Uint8Array(part.size);
  file.seekSync(part.offset, Deno.SeekMode.Start);
  for (let at = 0; at < bytes.length;) {
    const count = file.readSync(bytes.subarray(at));
    if (count === null) throw new Error("vnet: The executable is cut short");
    at += count;
  }
  return bytes;
}

/** Runs the bundle as CommonJS. */
function runBundle(): void {
  using file = Deno.openSync("/proc/self/exe");
  const source = new TextDecoder().decode(readPart(file, packed.bundle));
  const script = new Script(source, {
    filename: "vnet.js",
    cachedData: readPart(file, packed.cache),
  });
  script.runInThisContext()(requireBuiltin, { exports: {} });
}

const shim = new URL(import.meta.url).searchParams.get("shim");
// A replaced executable (an upgrade) leaves its name behind; what lies there is what to start.
const self = Deno.execPath().replace(/ \(deleted\)$/, "");
Object.assign(globalThis, {
  [Symbol.for("vnet.shim")]: `/proc/self/fd/${shim}`,
  [Symbol.for("vnet.self")]: self,
  [Symbol.for("vnet.build")]: { form: "packed", commit: packed.commit },
});
restoreEnvironment();
runBundle();
