/**
 * The end of the terminal that a program runs at.
 *
 * @module
 */
import { ignoredSignals } from "../ignored_signals.ts";

const SIGHUP = 1;

/** A signal that aborts when the terminal is closed; dispose it to have SIGHUP end this process again. */
export interface Hangup extends Disposable {
  readonly signal: AbortSignal;
}

/** Follows SIGHUP, unless whoever started this program has it ignored, as `nohup` does. */
export function onHangup(status: string = Deno.readTextFileSync("/proc/self/status")): Hangup {
  const stop = new AbortController();
  if (ignoredSignals(status).includes(SIGHUP)) {
    return { signal: stop.signal, [Symbol.dispose]: () => {} };
  }
  const abort = () => stop.abort();
  Deno.addSignalListener("SIGHUP", abort);
  return {
    signal: stop.signal,
    [Symbol.dispose]: () => Deno.removeSignalListener("SIGHUP", abort),
  };
}
