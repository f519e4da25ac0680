/**
 * How this program starts itself again, in each of its forms: from source, packed into one executable by
 * scripts/build.ts, or compiled by `deno compile`.
 *
 * @module
 */
import type { Context } from "./context.ts";

/** A program and its first arguments. */
interface SelfCommand {
  readonly command: string;
  readonly args: readonly string[];
}

/** The form this program runs in. */
type BuildForm = "source" | "packed" | "compiled";

/** Returns the form of the running program. */
export function buildForm(): BuildForm {
  if (packedPath() !== undefined) return "packed";
  return Deno.build.standalone ? "compiled" : "source";
}

/** Returns the command that runs this very program with these arguments. */
export function selfCommand(args: readonly string[]): SelfCommand {
  const packed = packedPath();
  if (packed !== undefined) return { command: packed, args };
  if (Deno.build.standalone) return { command: Deno.execPath(), args };
  const root = new URL("../../", import.meta.url);
  return {
    command: Deno.execPath(),
    args: [
      "run",
      "-A",
      "--no-prompt",
      "--config",
      new URL("deno.json", root).pathname,
      new URL("main.ts", root).pathname,
      ...args,
    ],
  };
}

/** The arguments that have another `vnet` of the owner use the same folders. */
export function homeArgs({ globals, env, paths }: Context): readonly string[] {
  if ((globals.home ?? env("VNET_HOME")) === undefined) return [];
  return ["--home", paths.configDir.replace(/\/config$/, "")];
}

/** Variables that a child running from source needs to find its modules again. */
export function selfEnvironment(env: (name: string) => string | undefined): Record<string, string> {
  const passed: Record<string, string> = { DENO_NO_UPDATE_CHECK: "1" };
  const home = env("HOME");
  // The child may have another home, but its modules are where this process found them.
  if (buildForm() === "source" && home !== undefined) passed["DENO_DIR"] = `${home}/.cache/deno`;
  for (const name of ["DENO_DIR", "NPM_CONFIG_REGISTRY", "PATH", "LANG", "TERM", "NO_COLOR"]) {
    const value = env(name);
    if (value !== undefined) passed[name] = value;
  }
  return passed;
}

/** The commit this program was built from, or `null` when it runs from source. */
export function builtCommit(): string | null {
  const build: unknown = Reflect.get(globalThis, Symbol.for("vnet.build"));
  const commit: unknown = typeof build === "object" && build !== null
    ? Reflect.get(build, "commit")
    : null;
  return typeof commit === "string" ? commit : null;
}

function packedPath(): string | undefined {
  const path: unknown = Reflect.get(globalThis, Symbol.for("vnet.self"));
  return typeof path === "string" ? path : undefined;
}
