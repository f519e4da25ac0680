/**
 * Builds dist/vnet, one executable with everything in it (`deno task build`).
 *
 *   deno task build                     `deno compile` where denort can be had, else the packer
 *   deno task build --form packed       always the packer; needs gcc or clang, x86-64 Linux
 *   deno task build --form compiled     always `deno compile`; DENORT_BIN=FILE gives it the runtime
 *   deno task build --out FILE
 *
 * Two builds of one commit give the same bytes. The result is run once before it is put in place.
 *
 * @module
 */
// deno-lint-ignore-file no-console -- a command of the developer's
import { createHash } from "node:crypto";
import { dirname, resolve } from "node:path";
import { parseArgs } from "node:util";
import {
  askMachine,
  BuildError,
  commitOf,
  findDenort,
  makeCompiled,
  makePacked,
  type Program,
  root,
} from "./pack/mod.ts";
import { buildShim } from "./shim.ts";

type Form = "packed" | "compiled";

/** Runs that take the same way each time: the same program must give the same bytes. */
const WARM: readonly (readonly string[])[] = [["version"], ["--help"], ["status"]];

async function chooseForm(wanted: string): Promise<Form> {
  if (wanted === "packed") return wanted;
  if (wanted !== "auto" && wanted !== "compiled") {
    throw new BuildError(
      "form-unknown",
      `Unknown form "${wanted}": expected packed, compiled or auto`,
    );
  }
  const source = await findDenort(await askMachine());
  if (source !== null) {
    console.error(
      `denort: ${source.kind}, ${source.kind === "download" ? source.url : source.path}`,
    );
    return "compiled";
  }
  const state =
    "denort cannot be had: DENORT_BIN names none, none is cached, dl.deno.land is not reachable";
  if (wanted === "compiled") {
    throw new BuildError("denort-missing", `Cannot compile: ${state}`, {
      hint: "Set DENORT_BIN to denort of this Deno version, or build with --form packed",
    });
  }
  console.error(`${state}; packing`);
  return "packed";
}

/** Runs what was built; a build that cannot say its version is no build. */
async function tryOut(path: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(path, { args: ["version"] }).output();
  if (success) return new TextDecoder().decode(stdout).trim();
  const words = new TextDecoder().decode(stderr).trim();
  throw new BuildError("build-broken", `The executable does not run: ${words}`);
}

async function build(out: string, wanted: string): Promise<void> {
  const form = await chooseForm(wanted);
  const program: Program = {
    entry: `${root}scripts/pack/entry.ts`,
    shim: await buildShim(),
    commit: await commitOf(root),
    warm: WARM,
  };
  const bytes = await (form === "packed" ? makePacked(program) : makeCompiled(program));
  await Deno.mkdir(dirname(out), { recursive: true });
  const partial = `${out}.partial`;
  let says: string;
  try {
    await Deno.writeFile(partial, bytes, { mode: 0o755 });
    says = await tryOut(partial);
    await Deno.rename(partial, out);
  } catch (error) {
    await Deno.remove(partial).catch(() => {});
    throw error;
  }
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  console.log(`${out}: ${form}, ${(bytes.length / 1e6).toFixed(1)} MB, sha256 ${sha256}\n${says}`);
}

function parseOptions(args: string[]): { readonly form: string; readonly out: string } {
  try {
    const { values } = parseArgs({
      args,
      options: {
        form: { type: "string", default: "auto" },
        out: { type: "string", default: `${root}dist/vnet` },
      },
    });
    return values;
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw new BuildError("usage", cause.message, { cause });
  }
}

if (import.meta.main) {
  try {
    const options = parseOptions(Deno.args);
    await build(resolve(options.out), options.form);
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    console.error(`build: ${error.message} [${error.code}]`);
    if (error.hint !== null) console.error(`hint: ${error.hint}`);
    Deno.exit(1);
  }
}
