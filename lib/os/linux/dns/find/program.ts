/**
 * Running the host's own small programs, with a deadline and nothing of our environment but the path.
 *
 * @module
 */

/** What a program said, and how it ended. */
interface Ran {
  /** The exit status; `null` when it was killed, for example by the deadline. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const TIMEOUT_MS = 10_000;

/** Runs a program to its end. @throws Deno.errors.NotFound when there is no such program */
export async function run(
  program: string,
  args: readonly string[],
  options: { readonly input?: string; readonly timeoutMs?: number } = {},
): Promise<Ran> {
  const child = new Deno.Command(program, {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    clearEnv: true,
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" },
  }).spawn();
  const deadline = setTimeout(() => child.kill("SIGKILL"), options.timeoutMs ?? TIMEOUT_MS);
  try {
    const feeding = feed(child.stdin, options.input ?? "");
    const { code, signal, stdout, stderr } = await child.output();
    await feeding;
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return {
      status: signal === null ? code : null,
      stdout: text(stdout),
      stderr: text(stderr),
    };
  } finally {
    clearTimeout(deadline);
  }
}

/** A program may end without having read its input; that is its own business. */
async function feed(stdin: WritableStream<Uint8Array>, input: string): Promise<void> {
  const writer = stdin.getWriter();
  try {
    await writer.write(new TextEncoder().encode(input));
    await writer.close();
  } catch {
    await writer.abort().catch(() => {});
  }
}

const OUTLIVED_MS = 5_000;
const LOOK_AGAIN_MS = 20;

/**
 * Waits, though not for ever, until nobody runs a program with a certain argument any more. What a killed process
 * has started goes on: undone before it is through, it would do its work afterwards.
 */
export async function untilEnded(program: string, argument: string): Promise<void> {
  const deadlineMs = performance.now() + OUTLIVED_MS;
  while (performance.now() < deadlineMs && isRunning(program, argument)) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}

function isRunning(program: string, argument: string): boolean {
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      // A script's interpreter comes first, then the script.
      const words = Deno.readTextFileSync(`/proc/${name}/cmdline`).split("\0");
      if (words.slice(0, 2).includes(program) && words.includes(argument)) return true;
    } catch {
      continue; // it has ended meanwhile
    }
  }
  return false;
}
