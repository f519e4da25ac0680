/**
 * The terminal of this process.
 *
 * @module
 * @see proc_pid_stat(5)
 */

/**
 * Whether this process may read its terminal: it has one, and stands in its foreground. Another's read would stop the
 * whole process group.
 */
export async function holdsTerminal(): Promise<boolean> {
  const stat = await Deno.readTextFile("/proc/self/stat").catch(() => "");
  return isForeground(stat);
}

/** Reads the terminal's foreground process group against the process's own. */
export function isForeground(stat: string): boolean {
  // The name of the program may hold anything.
  const [, , group, , terminal, foreground] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return terminal !== undefined && terminal !== "0" && group === foreground;
}
