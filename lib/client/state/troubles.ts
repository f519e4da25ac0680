/**
 * Why names of ours have no usable address at this moment: what the DNS server says instead of one. Values; time is an
 * argument.
 *
 * @module
 */
import type { DomainName, Trouble } from "../../dns/mod.ts";
import type { Plan } from "../../plan/mod.ts";
import { nameErrorOf, REFUSALS } from "../../refusal/mod.ts";

/** So long after an app has gone, who asks for its name is told so. Others may publish the name again by then. */
const REMOVED_MS = 5 * 60_000;
/** So long after a refusal the app counts as denied; then a connection may find out anew. As long as an answer lives. */
const DENIED_MS = 10_000;
/** More are forgotten, the oldest first. */
const MAX_KEPT = 1024;

const REMOVED: Trouble = REFUSALS["app-removed"].ede;

/** What went wrong lately, oldest first. */
export interface Troubles {
  /** Names that were removed, and until when that is said. */
  readonly removed: ReadonlyMap<DomainName, number>;
  /** Apps that refused, by id: what is said of their names, and until when. */
  readonly denied: ReadonlyMap<string, { readonly untilMs: number; readonly trouble: Trouble }>;
}

/** Nothing went wrong. */
export const NO_TROUBLES: Troubles = { removed: new Map(), denied: new Map() };

/** Notes what one plan had that the next has not, and forgets what is over. */
export function followTroubles(
  troubles: Troubles,
  before: Plan | null,
  plan: Plan,
  nowMs: number,
): Troubles {
  const removed = new Map(troubles.removed);
  for (const name of before?.targets.keys() ?? []) {
    if (!plan.targets.has(name)) keep(removed, name, nowMs + REMOVED_MS);
  }
  for (const [name, untilMs] of removed) {
    if (plan.targets.has(name) || untilMs <= nowMs) removed.delete(name);
  }
  return {
    removed,
    denied: new Map([...troubles.denied].filter(([, { untilMs }]) => untilMs > nowMs)),
  };
}

/**
 * Notes that a connection to an app was refused.
 *
 * @returns The same object if that says nothing new about the app's names.
 */
export function noteRefusal(
  troubles: Troubles,
  appId: string,
  code: string,
  nowMs: number,
): Troubles {
  const trouble = nameErrorOf(code);
  if (trouble?.kind !== "access-denied") return troubles; // not: you, for this app, not now
  const known = troubles.denied.get(appId);
  const isFresh = known !== undefined && known.untilMs - nowMs > DENIED_MS / 2;
  if (isFresh && known.trouble.text === trouble.text) return troubles;
  const denied = new Map(troubles.denied);
  keep(denied, appId, { untilMs: nowMs + DENIED_MS, trouble });
  return { ...troubles, denied };
}

/** Forgets refusals: the cluster may have changed its mind. */
export function forgetRefusals(troubles: Troubles): Troubles {
  return { ...troubles, denied: new Map() };
}

/** When the next of them is over; `null` if there is none. */
export function nextEnd({ removed, denied }: Troubles): number | null {
  const ends = [...removed.values(), ...[...denied.values()].map(({ untilMs }) => untilMs)];
  return ends.length === 0 ? null : Math.min(...ends);
}

/** What DNS says of a name that was removed. */
export function removedTrouble(): Trouble {
  return REMOVED;
}

/** What DNS says of every name of a login that is locked. */
export function lockedOut(): Trouble {
  return REFUSALS["access-locked"].ede;
}

/** What DNS says of every name of a login that is over. */
export function loggedOut(cluster: string, proxy: string): Trouble {
  return {
    kind: "not-logged-in",
    text: `not logged in to ${cluster}, run: vnet login --proxy ${proxy}`,
  };
}

function keep<K, V>(map: Map<K, V>, key: K, value: V): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > MAX_KEPT && oldest !== undefined) map.delete(oldest);
}
