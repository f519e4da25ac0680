import { getLogger } from "../../log.ts";
import type { SocketHolder } from "../../os/mod.ts";
import { pause } from "../../wait.ts";

const log = getLogger("client", "holders");

/** Sockets that wait for the next walk through the processes; more go without. */
const MAX_WAITING = 1000;
const WALK_MS = 2_000;
/** A walk rests many times as long as it took: programs must not be able to order work at will. */
const REST_TIMES = 9;
const REST_MIN_MS = 50;
/** Processes that had sockets before, and so are looked at first. */
const MAX_LIKELY = 16;

/** Finds the processes that have sockets, those named first before all others. */
export type HolderFinder = (
  inodes: readonly number[],
  likely: readonly number[],
  signal: AbortSignal,
) => Promise<ReadonlyMap<number, SocketHolder>>;

/** Finds out which program a connection is of: one walk through the processes for all that wait. */
export class Holders {
  readonly #find: HolderFinder;
  #waiting = new Map<number, (holder: SocketHolder) => void>();
  readonly #likely = new Set<number>();
  #isWalking = false;

  constructor(find: HolderFinder) {
    this.#find = find;
  }

  /**
   * Looks for the process that has a socket, once.
   *
   * @param onFound Told if it is found; never, if its process went before, or may not be looked into.
   */
  look(inode: number, onFound: (holder: SocketHolder) => void, signal: AbortSignal): void {
    if (this.#waiting.size >= MAX_WAITING || signal.aborted) return;
    this.#waiting.set(inode, onFound);
    if (this.#isWalking) return;
    this.#isWalking = true;
    void this.#walkAll(signal).finally(() => this.#isWalking = false);
  }

  async #walkAll(signal: AbortSignal): Promise<void> {
    while (this.#waiting.size > 0 && !signal.aborted) {
      const startedMs = performance.now();
      await this.#walk(signal);
      const tookMs = performance.now() - startedMs;
      await pause(Math.max(REST_MIN_MS, tookMs * REST_TIMES), signal);
    }
    this.#waiting.clear();
  }

  async #walk(signal: AbortSignal): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = new Map();
    const likely = [...this.#likely].reverse();
    const end = AbortSignal.any([signal, AbortSignal.timeout(WALK_MS)]);
    try {
      for (const [inode, holder] of await this.#find([...waiting.keys()], likely, end)) {
        this.#likely.delete(holder.pid);
        this.#likely.add(holder.pid);
        waiting.get(inode)?.(holder);
      }
    } catch (thrown) {
      log.debug("Cannot find programs", { error: String(thrown) });
    }
    for (const pid of [...this.#likely].slice(0, -MAX_LIKELY)) this.#likely.delete(pid);
  }
}
