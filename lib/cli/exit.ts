/** Exit statuses, the same everywhere; part of the command line's contract. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  warnings: 3,
  loginNeeded: 4,
  notRunning: 5,
} as const;

type ExitStatus = (typeof EXIT)[keyof typeof EXIT];

/** Thrown where another process has told the error on this very terminal: nothing is left but to end. */
export class AlreadyTold {
  constructor(readonly status: ExitStatus) {}
}

/** Returns the status a command ends with when it fails with this code. */
export async function statusOfCode(code: string): Promise<ExitStatus> {
  // What goes well does not wait for the table of what may not.
  const { isRefusalCode, refusalOf } = await import("../refusal/mod.ts");
  return (isRefusalCode(code) ? refusalOf(code).exitStatus : undefined) ?? EXIT.failed;
}
