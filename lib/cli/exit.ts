/** Exit statuses, the same everywhere; part of the command line's contract. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  warnings: 3,
  loginNeeded: 4,
  notRunning: 5,
} as const;

export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];

/** Thrown where another process has told the error on this very terminal: nothing is left but to end. */
export class AlreadyTold {
  constructor(readonly status: ExitStatus) {}
}

/** Codes of errors that end with a status of their own; every other error ends with `failed`. */
const STATUS_OF_CODE: Readonly<Record<string, ExitStatus>> = {
  "usage": EXIT.usage,
  "login-needed": EXIT.loginNeeded,
  "login-expired": EXIT.loginNeeded,
  "daemon-not-running": EXIT.notRunning,
  "not-permitted": EXIT.notRunning,
  "helper-denied": EXIT.notRunning,
  "tun-open-denied": EXIT.notRunning,
};

/** Returns the status a command ends with when it fails with this code. */
export function statusOfCode(code: string): ExitStatus {
  return STATUS_OF_CODE[code] ?? EXIT.failed;
}
