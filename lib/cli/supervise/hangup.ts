/**
 * The end of the terminal that a program runs at.
 *
 * @module
 */
const SIGHUP = 1;

/** A signal that aborts when the terminal is closed; dispose it to have SIGHUP end this process again. */
export interface Hangup extends Disposable {
  readonly signal: AbortSignal;
}

/** Follows SIGHUP, unless it is among the signals that this program is to ignore, as `nohup` has it. */
export function onHangup(ignored: readonly number[]): Hangup {
  const stop = new AbortController();
  if (ignored.includes(SIGHUP)) {
    return { signal: stop.signal, [Symbol.dispose]: () => {} };
  }
  const abort = () => stop.abort();
  Deno.addSignalListener("SIGHUP", abort);
  return {
    signal: stop.signal,
    [Symbol.dispose]: () => Deno.removeSignalListener("SIGHUP", abort),
  };
}
