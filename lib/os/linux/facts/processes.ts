/**
 * The processes of this machine.
 *
 * @module
 * @see proc_pid_cmdline(5), proc_pid_status(5)
 */
import type { CommandLine } from "../../host_facts.ts";

/** Lists what may be looked at; the words of what ended meanwhile are none. */
export function listCommandLines(procDir = "/proc"): readonly CommandLine[] {
  return [...Deno.readDirSync(procDir)]
    .filter(({ name }) => /^[0-9]+$/.test(name))
    .map(({ name }) => ({
      pid: Number(name),
      words: parseCommandLine(readOrEmpty(`${procDir}/${name}/cmdline`)),
    }));
}

/** Reads words, each of which ends with a NUL. */
export function parseCommandLine(text: string): readonly string[] {
  return text === "" ? [] : text.replace(/\0$/, "").split("\0");
}

/** Whether a process was stopped, by a signal or a tracer. */
export function isStopped(pid: number, procDir = "/proc"): boolean {
  return /^State:\s+[Tt]/m.test(readOrEmpty(`${procDir}/${pid}/status`));
}

/** Processes end while one looks. */
function readOrEmpty(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
