/**
 * Builds the C shim (`deno task shim`): ffi/build/<hash>/libdeno_tun.so, named by the content of its sources and
 * the compiler's flags, and ffi/build/libdeno_tun.so that points to it. Needs gcc or clang and the C library's
 * headers; with $CC set, that compiler. Prints the path of the library; does nothing when it is there already.
 *
 * @module
 */
import { createHash } from "node:crypto";

const FLAGS: readonly string[] = [
  "-std=c11",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-Wconversion",
  "-Wshadow",
  "-O2",
  "-fPIC",
  "-fvisibility=hidden",
  "-pthread",
  "-shared",
  // threads of the shim may outlive the isolate that loaded it, which unloads its libraries when it ends
  "-Wl,-z,nodelete",
  // where the dynamic loader begins that executes it (launch_linux.c)
  "-Wl,-e,vnet_launch_start",
];

const SOURCE_DIR = new URL("../ffi/", import.meta.url);
const BUILD_DIR = new URL("build/", SOURCE_DIR);
const LIBRARY = "libdeno_tun.so";

/** What stops a build, in one line that says what to do. */
export class BuildError extends Error {}

/** Lists the files a build depends on, sorted by name. */
async function sources(): Promise<string[]> {
  const names: string[] = [];
  for await (const entry of Deno.readDir(SOURCE_DIR)) {
    if (entry.isFile && /\.[ch]$/.test(entry.name)) names.push(entry.name);
  }
  return names.sort();
}

async function hashOf(names: readonly string[], compiler: string): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify([compiler, FLAGS, Deno.build.arch]));
  for (const name of names) {
    hash.update(`${name}\n`).update(await Deno.readFile(new URL(name, SOURCE_DIR)));
  }
  return hash.digest("hex").slice(0, 16);
}

/** Finds a compiler that runs: $CC alone if it is set, else gcc, clang, cc. */
async function findCompiler(): Promise<string> {
  const wanted = Deno.env.get("CC");
  for (const name of wanted ? [wanted] : ["gcc", "clang", "cc"]) {
    try {
      const { success } = await new Deno.Command(name, {
        args: ["--version"],
        stdout: "null",
        stderr: "null",
      }).output();
      if (success) return name;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  throw new BuildError(
    `Cannot build the shim: ${wanted ?? "gcc or clang"} not found (apt install gcc libc6-dev)`,
  );
}

async function compile(compiler: string, names: readonly string[], output: string): Promise<void> {
  const units = names.filter((name) => name.endsWith(".c"));
  const { success, stderr } = await new Deno.Command(compiler, {
    args: [...FLAGS, "-o", output, ...units],
    cwd: SOURCE_DIR,
    stdout: "null",
    stderr: "piped",
  }).output();
  if (success) return;
  const text = new TextDecoder().decode(stderr);
  if (/fatal error: \S+: No such file|cannot find|not found/.test(text)) {
    throw new BuildError(
      `Cannot build the shim: the C library's headers are missing ` +
        `(apt install libc6-dev linux-libc-dev)\n${text}`,
    );
  }
  throw new BuildError(`Cannot build the shim: ${compiler} found errors\n${text}`);
}

/** Replaces a link in one step, so that nobody ever sees it missing. */
async function pointTo(target: string, link: URL): Promise<void> {
  const fresh = new URL(`${LIBRARY}.${crypto.randomUUID()}`, BUILD_DIR);
  await Deno.symlink(target, fresh);
  await Deno.rename(fresh, link);
}

/**
 * Builds the shim unless it is there.
 *
 * @returns The path of the library.
 * @throws {Error} With one line that says what to do when there is no compiler.
 */
export async function buildShim(): Promise<string> {
  const compiler = await findCompiler();
  const names = await sources();
  const hash = await hashOf(names, compiler);
  const link = new URL(LIBRARY, BUILD_DIR);
  const output = new URL(`${hash}/${LIBRARY}`, BUILD_DIR);
  const current = await Deno.readLink(link).catch(() => null);
  const exists = await Deno.stat(output).then(() => true, () => false);
  if (!exists) {
    await Deno.mkdir(new URL(`${hash}/`, BUILD_DIR), { recursive: true });
    const partial = new URL(`${hash}/${crypto.randomUUID()}`, BUILD_DIR);
    await compile(compiler, names, decodeURIComponent(partial.pathname));
    await Deno.rename(partial, output);
  }
  if (current !== `${hash}/${LIBRARY}`) await pointTo(`${hash}/${LIBRARY}`, link);
  return decodeURIComponent(link.pathname);
}

if (import.meta.main) {
  try {
    // deno-lint-ignore no-console -- the path is this command's result
    console.log(await buildShim());
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    // deno-lint-ignore no-console -- a script talks to people here
    console.error(error.message);
    Deno.exit(1);
  }
}
