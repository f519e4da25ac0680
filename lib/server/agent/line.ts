import { describeError } from "../../error.ts";
import { getLogger } from "../../log.ts";
import { pause, untilAborted } from "../../wait.ts";
import type { ControlChannel } from "./control_channel.ts";
import { Complaint, retryDelayMs } from "./retry.ts";

const log = getLogger("server", "agent");

/** A control channel that lasted this long had worked. */
const WORKED_MS = 5_000;

/** A control channel that is opened again whenever it is lost. */
export class Line {
  readonly #open: () => Promise<ControlChannel>;
  readonly #onOpen: (channel: ControlChannel) => void;
  #channel: ControlChannel | null = null;
  /** Fires when it is to be opened anew, in another way. */
  #reopen = new AbortController();

  /** @param onOpen Told each time that it is open. */
  constructor(
    open: () => Promise<ControlChannel>,
    onOpen: (channel: ControlChannel) => void = () => {},
  ) {
    this.#open = open;
    this.#onOpen = onOpen;
  }

  /** The channel that was opened last, open or not. */
  get channel(): ControlChannel | null {
    return this.#channel;
  }

  /** Opens it anew; the one there is stays until the other is open. */
  reopen(): void {
    const reopen = this.#reopen;
    this.#reopen = new AbortController();
    reopen.abort();
  }

  /** Keeps it open until the signal fires, and says goodbye then. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const [lost, unreached] = [new Complaint(), new Complaint()];
    let failed = 0;
    while (!signal.aborted) {
      const reopen = this.#reopen;
      let retryMs = Math.round(retryDelayMs(failed, Math.random()));
      try {
        const channel = await this.#open();
        this.#channel?.close(); // only now: there was no moment without a channel
        this.#channel = channel;
        const openedMs = performance.now();
        if (unreached.end()) log.info("Reached the proxy again", {});
        this.#onOpen(channel);
        const until = AbortSignal.any([signal, reopen.signal]);
        const reason = await Promise.race([channel.closed, untilAborted(until)]);
        if (reopen.signal.aborted) continue;
        // Who is sent away as soon as it has come shall not come again and again
        failed = performance.now() - openedMs >= WORKED_MS ? 0 : failed + 1;
        retryMs = Math.round(retryDelayMs(failed, Math.random()));
        if (failed === 0) lost.end();
        if (!signal.aborted && lost.isNew(reason ?? "")) {
          log.warning("Lost the control channel", { reason: reason ?? "", retryMs });
        }
      } catch (thrown) {
        if (signal.aborted) break;
        failed++;
        const error = describeError(thrown);
        if (unreached.isNew(error)) log.warning("Cannot reach the proxy", { error, retryMs });
      }
      await pause(retryMs, AbortSignal.any([signal, reopen.signal]));
    }
    this.#channel?.send({ type: "drain" });
  }

  /** Ends it, once {@link run} has. */
  close(): void {
    this.#channel?.close();
  }
}
