import { describeError } from "../../error.ts";
import { getLogger } from "../../log.ts";
import { pause } from "../../wait.ts";
import type { StoreTopic } from "../store/mod.ts";
import type { Parts } from "./foundation.ts";

const log = getLogger("server", "auth");

const RETRY_MS = 1_000;

/**
 * Takes over what other processes change in the store, until nobody waits for changes any longer. What cannot be read
 * is read again until it can.
 *
 * @param onReview Called when users, roles, locks, agents or clusters are others.
 */
export function followOthers(
  parts: Pick<Parts, "store" | "directory" | "holders" | "changes" | "events">,
  onReview: () => void,
  wait = pause,
): void {
  const { store, directory, holders, changes, events } = parts;
  const take = async (topics: ReadonlySet<StoreTopic>) => {
    if (topics.has("agents")) await holders.reload(() => store.agents.list());
    if (topics.has("resources") || topics.has("trusts")) await directory.reload();
    if (topics.has("sessions")) changes.notify();
    if (topics.has("agents") || topics.has("resources") || topics.has("trusts")) onReview();
  };
  /** What was told and is not taken over yet. */
  const open = new Set<StoreTopic>();
  const takeAll = async () => {
    while (open.size > 0 && !changes.closed.aborted) {
      const topics = new Set(open);
      open.clear();
      try {
        await take(topics);
      } catch (error) {
        if (changes.closed.aborted) return;
        for (const topic of topics) open.add(topic);
        log.error("Cannot take over what was changed in the store; it is tried again", {
          error: describeError(error),
        });
        await wait(RETRY_MS, changes.closed);
      }
    }
  };
  let isRunning = false;
  store.watch((topics) => {
    if (topics.has("events")) events.notify();
    for (const topic of topics) open.add(topic);
    if (isRunning) return;
    isRunning = true;
    takeAll().finally(() => isRunning = false);
  }, changes.closed);
}
