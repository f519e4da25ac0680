/**
 * The end of the terminal that a program runs at.
 *
 * @module
 */

/** SIGHUP's bit in the masks of /proc/self/status. */
const HANGUP_BIT = 1n;

/** A signal that aborts when the terminal is closed; dispose it to have SIGHUP end this process again. */
export interface Hangup extends Disposable {
  readonly signal: AbortSignal;
}

/** Follows SIGHUP, unless whoever started this program has it ignored, as `nohup` does. */
export function onHangup(status: string = Deno.readTextFileSync("/proc/self/status")): Hangup {
  const stop = new AbortController();
  if (ignoresHangup(status)) return { signal: stop.signal, [Symbol.dispose]: () => {} };
  const abort = () => stop.abort();
  Deno.addSignalListener("SIGHUP", abort);
  return {
    signal: stop.signal,
    [Symbol.dispose]: () => Deno.removeSignalListener("SIGHUP", abort),
  };
}

function ignoresHangup(status: string): boolean {
  const [, mask = "0"] = /^SigIgn:\s*([0-9a-f]+)$/m.exec(status) ?? [];
  return (BigInt(`0x${mask}`) & HANGUP_BIT) !== 0n;
}
