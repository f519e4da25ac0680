/**
 * One `deno test`, and what came of it.
 *
 * @module
 */
import { parseIgnored } from "../setup/left_out.ts";
import { type Counts, type Failure, outcome, parseFailures, parseSummary } from "./counts.ts";

/** What came of a run: its counts, which tests failed, and what each ignored test needed. */
export interface Run {
  readonly counts: Counts;
  readonly failures: readonly Failure[];
  readonly ignored: readonly (readonly string[])[];
  /** All it said, stderr too. */
  readonly lines: readonly string[];
}

/** How to run it. */
export interface Options {
  /** Adds to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** The one file that is tested, where it is one. */
  readonly file?: string;
  readonly deadlineMs: number;
  /** Ends it at once. */
  readonly signal: AbortSignal;
  /** Takes what it says, stderr too, as it comes. */
  readonly sink?: (bytes: Uint8Array) => void;
}

/** What a test may see of whoever runs it: where things are, and how packages are had. */
const SEEN =
  /^(PATH|HOME|USER|LOGNAME|LANG|LC_[A-Z]+|TERM|TMPDIR|CI|CC|XDG_CACHE_HOME|VNET_LAB_KEEP|DENO_.*|npm_config_.*|SSL_CERT_.*|[a-z]+_proxy)$/i;

/** The environment of tests: the same at a desk, in CI and from cron. */
export function testEnvironment(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => SEEN.test(name)));
}

/** Between being asked to end and being killed. */
const GRACE_MS = 5_000;

/**
 * Runs `deno test`.
 *
 * @param what In words, for the list of what failed, if it ends without naming a test.
 */
export async function runDeno(
  what: string,
  args: readonly string[],
  options: Options,
): Promise<Run> {
  const { env = {}, file, deadlineMs, signal, sink } = options;
  // One pipe for both, so that what a test says stays in order.
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", 'exec "$0" "$@" 2>&1', Deno.execPath(), ...args],
    cwd: new URL("../../", import.meta.url),
    clearEnv: true,
    env: { ...testEnvironment(Deno.env.toObject()), ...env },
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]);
  let late: ReturnType<typeof setTimeout> | undefined;
  const end = () => {
    kill(child, "SIGTERM");
    late = setTimeout(() => {
      kill(child, "SIGKILL");
      reader.cancel().catch(() => undefined); // a process that it left may hold the other end
    }, GRACE_MS);
  };
  deadline.addEventListener("abort", end);
  if (deadline.aborted) end();
  const lines: string[] = [];
  const decoder = new TextDecoder();
  let rest = "";
  for (let read; !(read = await reader.read()).done;) {
    sink?.(read.value);
    const parts = (rest + decoder.decode(read.value, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    lines.push(...parts);
  }
  lines.push(rest);
  const { code } = await child.status;
  deadline.removeEventListener("abort", end);
  clearTimeout(late);
  const summary = lines.map(parseSummary).findLast((found) => found !== null) ?? null;
  const counts = outcome(summary, code);
  const failures = parseFailures(lines, file);
  const isUnnamed = failures.length === 0 && counts.failed + counts.failedSteps > 0;
  const why = deadline.aborted && !signal.aborted
    ? `not within ${deadlineMs / 60_000} minutes`
    : signal.aborted
    ? "stopped"
    : `exit status ${code}`;
  return {
    counts,
    failures: isUnnamed ? [{ file: file ?? what, test: why }] : failures,
    ignored: lines.map(parseIgnored).filter((things) => things !== null),
    lines,
  };
}

function kill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch (thrown) {
    if (!(thrown instanceof TypeError)) throw thrown; // It has ended already.
  }
}
