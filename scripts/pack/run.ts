/**
 * Commands and folders the build uses.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { BuildError } from "./build_error.ts";

/** The repository's folder, ending in a slash. */
export const root: string = fileURLToPath(new URL("../../", import.meta.url));

/** One deno command. */
export interface DenoCommand {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Runs this very deno.
 *
 * @param code The error's code if the command fails.
 * @returns What it printed.
 * @throws {BuildError} With what it said on stderr.
 */
export async function deno(code: string, command: DenoCommand): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...command.args],
    cwd: command.cwd,
    env: { ...command.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
  }).output();
  if (success) return new TextDecoder().decode(stdout);
  const words = new TextDecoder().decode(stderr).trim();
  throw new BuildError(code, `Cannot run \`deno ${command.args.join(" ")}\`: ${words}`);
}

/** Gives a function a fresh folder, and removes it whatever happens. */
export async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: "vnet-build-" });
  try {
    return await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Says which commit the tree is at: its hash, with `-dirty` if something differs, `unknown` outside git. */
export async function commitOf(folder: string): Promise<string> {
  const args = ["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"];
  try {
    const { success, stdout } = await new Deno.Command("git", { args, cwd: folder }).output();
    return success ? new TextDecoder().decode(stdout).trim() : "unknown";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "unknown";
    throw error;
  }
}
