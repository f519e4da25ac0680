import { describeError } from "../../error.ts";
import { getLogger } from "../../log.ts";
import type { StoreTopic } from "../store/mod.ts";
import type { Parts } from "./foundation.ts";

const log = getLogger("server", "auth");

/**
 * Takes over what other processes change in the store, until nobody waits for changes any longer.
 *
 * @param onReview Called when users, roles, locks, agents or clusters are others.
 */
export function followOthers(
  parts: Pick<Parts, "store" | "directory" | "holders" | "changes" | "events">,
  onReview: () => void,
): void {
  const { store, directory, holders, changes, events } = parts;
  const take = async (topics: ReadonlySet<StoreTopic>) => {
    if (topics.has("agents")) holders.load(await store.agents.list());
    if (topics.has("resources") || topics.has("trusts")) await directory.reload();
    if (topics.has("sessions")) changes.notify();
    if (topics.has("agents") || topics.has("resources") || topics.has("trusts")) onReview();
  };
  let running = Promise.resolve();
  store.watch((topics) => {
    if (topics.has("events")) events.notify();
    running = running.then(() => take(topics)).catch((error) => {
      if (changes.closed.aborted) return;
      log.error("Cannot take over what was changed in the store", { error: describeError(error) });
    });
  }, changes.closed);
}
