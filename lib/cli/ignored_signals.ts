/**
 * Reads which signals a process ignores, as a shell has what it starts in the background.
 *
 * @param status Its /proc/PID/status.
 * @returns Their numbers.
 * @see proc_pid_status(5)
 */
export function ignoredSignals(status: string): readonly number[] {
  const [, mask = "0"] = /^SigIgn:\s*([0-9a-f]+)$/m.exec(status) ?? [];
  const bits = BigInt(`0x${mask}`);
  return Array.from({ length: 64 }, (_, bit) => bit + 1)
    .filter((number) => (bits >> BigInt(number - 1) & 1n) !== 0n);
}
