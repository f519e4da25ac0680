/**
 * Programs from Debian packages that a test runs: a test is skipped by name, with the reason, where one is missing.
 * In CI (`CI` is set) nothing is skipped: a missing program fails its tests.
 *
 * @module
 */

/** What a program wrote, when it ended well or badly. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Declares a test that needs programs, each given as `program (package)`. */
export function testWith(
  needs: readonly string[],
  name: string,
  act: (t: Deno.TestContext) => Promise<void>,
): void {
  const missing = needs.filter((need) => !isInstalled(need.split(" ")[0] ?? ""));
  const ignore = missing.length > 0 && Deno.env.get("CI") === undefined;
  const reason = ignore ? ` (skipped: no ${missing.join(", ")})` : "";
  Deno.test({ name: `${name}${reason}`, ignore, fn: act });
}

/** Runs a program to its end. */
export async function run(
  [command = "", ...args]: readonly string[],
  options: { readonly timeoutMs?: number; readonly stdin?: string } = {},
): Promise<Outcome> {
  const child = new Deno.Command(command, {
    args,
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(options.timeoutMs ?? 20_000),
  }).spawn();
  if (options.stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(options.stdin));
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

function isInstalled(program: string): boolean {
  return (Deno.env.get("PATH") ?? "").split(":").some((directory) => {
    try {
      return Deno.statSync(`${directory}/${program}`).isFile;
    } catch {
      return false;
    }
  });
}
