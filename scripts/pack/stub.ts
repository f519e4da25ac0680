/**
 * The entry stub as a value: compiling it, and filling in its header. The other side of the contract is
 * `struct stub_header` in stub.c.
 *
 * @module
 */
import { BuildError } from "./build_error.ts";
import { parseElf, sectionOf } from "./elf.ts";
import { root } from "./run.ts";

/** The compiled stub; the header lies at the start of `code`, zeroed. */
export interface Stub {
  readonly code: Uint8Array;
  /** Where in `code` the process starts. */
  readonly entryOffset: number;
}

/** A part of the executable file. */
export interface Part {
  readonly offset: number;
  readonly size: number;
}

/** What the stub has to know of the executable it is in. */
export interface StubSettings {
  /** The runtime's own entry point and its GOT slot of `environ`, relative to the blob. */
  readonly entryDelta: number;
  readonly environDelta: number;
  readonly boot: Part;
  readonly shim: Part;
  /** Arguments between the program's name and the boot script. */
  readonly args: readonly string[];
  /** Environment that replaces what is set, `NAME=VALUE` each. */
  readonly env: readonly string[];
}

const HEADER_SIZE = 80;

/** Makes the blob to map: the stub, its header filled in, then the strings. */
export function encodeStub(stub: Stub, settings: StubSettings): Uint8Array {
  const args = encodeStrings(settings.args);
  const env = encodeStrings(settings.env);
  const argsOffset = stub.code.length;
  const envOffset = argsOffset + args.length;
  const blob = new Uint8Array(envOffset + env.length);
  blob.set(stub.code);
  blob.set(args, argsOffset);
  blob.set(env, envOffset);
  const { boot, shim } = settings;
  const header = new DataView(blob.buffer, 0, HEADER_SIZE);
  [
    settings.entryDelta,
    settings.environDelta,
    boot.offset,
    boot.size,
    shim.offset,
    shim.size,
    argsOffset,
    settings.args.length,
    envOffset,
    settings.env.length,
  ].forEach((value, i) => header.setBigInt64(8 * i, BigInt(value), true));
  return blob;
}

/** @returns How long the blob will be; it does not depend on the numbers in the header. */
export function stubSize(stub: Stub, settings: Pick<StubSettings, "args" | "env">): number {
  return stub.code.length + encodeStrings(settings.args).length +
    encodeStrings(settings.env).length;
}

function encodeStrings(strings: readonly string[]): Uint8Array {
  return new TextEncoder().encode(strings.map((s) => `${s}\0`).join(""));
}

const CFLAGS = [
  ..."-std=c11 -Os -Wall -Wextra -Werror -Wconversion -Wno-sign-conversion".split(" "),
  ..."-ffreestanding -fPIE -fno-stack-protector -fno-asynchronous-unwind-tables".split(" "),
  ..."-fcf-protection=none -fvisibility=hidden -nostdlib -static-pie".split(" "),
  ..."-Wl,--no-dynamic-linker -Wl,--build-id=none".split(" "),
];

/**
 * Compiles stub.c.
 *
 * @param compilers Names to try in order.
 * @throws {BuildError} `compiler-missing` without any of them, `stub-failed` with the compiler's words.
 */
export async function compileStub(
  compilers: readonly string[] = ["cc", "gcc", "clang"],
): Promise<Stub> {
  const out = await Deno.makeTempFile({ prefix: "vnet-stub-" });
  try {
    for (const compiler of compilers) {
      const args = [...CFLAGS, "-Wl,-T,stub.ld", "-o", out, "stub.c"];
      const output = await run(compiler, args, `${root}scripts/pack`);
      if (output === null) continue;
      if (!output.success) {
        const words = new TextDecoder().decode(output.stderr).trim();
        throw new BuildError("stub-failed", `Cannot compile scripts/pack/stub.c: ${words}`);
      }
      return readStub(await Deno.readFile(out));
    }
  } finally {
    await Deno.remove(out);
  }
  throw new BuildError("compiler-missing", "Cannot compile scripts/pack/stub.c: no C compiler", {
    hint: "Run `apt install gcc libc6-dev`",
  });
}

/** @returns What the command said, or `null` if there is no such command. */
async function run(
  command: string,
  args: readonly string[],
  cwd: string,
): Promise<Deno.CommandOutput | null> {
  try {
    return await new Deno.Command(command, { args: [...args], cwd }).output();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

function readStub(file: Uint8Array): Stub {
  const elf = parseElf(file);
  const blob = sectionOf(elf, ".blob");
  if (blob === null) {
    throw new BuildError("stub-failed", `The compiled stub has no section ".blob"`);
  }
  return { code: blob.bytes, entryOffset: elf.entry - blob.address };
}
