/**
 * Undoing what a process left that did not get to undo it itself.
 *
 * @module
 */
import type { Place } from "../backend/backend.ts";
import { undoDirect } from "../backend/direct.ts";
import { isWithinBounds } from "./bounds.ts";
import type { Entry } from "./journal.ts";
import { undoNmDnsmasq } from "../backend/nm_dnsmasq.ts";
import { undoResolvconf } from "../backend/resolvconf.ts";
import { hasHeader, readState, withoutOurLines } from "../backend/takeover.ts";
import { parseResolvConf } from "../../../../dns/mod.ts";

/**
 * `own-crash`: only what the journal says. `any-crash`: also a resolv.conf of ours whose journal is gone,
 * from which only our lines can be taken.
 */
type RepairScope = "own-crash" | "any-crash";

/** Who repairs after a crash, a guard say, owns the journal for so long at most. */
const REPAIR_MS = 2_000;
const LOOK_AGAIN_MS = 50;

/** Repairs, unless a living process owns the journal. @returns What was done, line by line */
export async function repairIn(place: Place, scope: RepairScope): Promise<string[]> {
  const { journal, disk, paths } = place;
  if (!await ownSoon(journal)) {
    return await journal.read() === null ? [] : ["left alone what a running vnet owns"];
  }
  const entry = await journal.read(); // Before it was owned, others may have changed it.
  await disk.sweep(journal.path);
  await disk.sweep(paths.resolvConf);
  if (entry === "unreadable" || (entry !== null && !isWithinBounds(entry, paths))) {
    return [`set the unreadable journal aside: ${await journal.setAside()}`, ...await strip(place)];
  }
  if (entry !== null) return await undo(entry, place);
  return scope === "any-crash" ? await strip(place) : [];
}

/** Owns the journal; while there is something in it, waits for somebody else who may just be repairing it. */
async function ownSoon(journal: Place["journal"]): Promise<boolean> {
  for (let waitedMs = 0;; waitedMs += LOOK_AGAIN_MS) {
    if (await journal.own()) return true;
    if (waitedMs >= REPAIR_MS || await journal.read() === null) return false;
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}

async function undo(entry: Entry, place: Place): Promise<string[]> {
  switch (entry.backend) {
    case "direct":
      return await undoDirect(entry, place);
    case "nm-dnsmasq":
      return await undoNmDnsmasq(entry, place);
    case "openresolv":
    case "debian-resolvconf":
      return await undoResolvconf(entry, place);
    default:
      return entry satisfies never;
  }
}

/** Takes our lines out of a resolv.conf whose original is not known any more. */
async function strip(place: Place): Promise<string[]> {
  const { resolvConf } = place.paths;
  const state = await readState(resolvConf);
  if (state.kind !== "file" || !hasHeader(state.bytes)) return [];
  const bytes = withoutOurLines(state.bytes);
  if (parseResolvConf(new TextDecoder().decode(bytes)).nameservers.length === 0) {
    return [
      `left ${resolvConf} alone: it is ours, its journal is gone, and it names no other resolver`,
    ];
  }
  await place.disk.rewrite(resolvConf, bytes);
  return [`took our lines out of ${resolvConf}; its journal is gone`];
}
