/**
 * Which events somebody wants to see.
 *
 * @module
 */
import type { AuditEvents } from "../../store/mod.ts";
import type { AuditRecord } from "../types.ts";
import { withSeq } from "./audit.ts";

/** What an event must have; what is absent may be anything. */
export interface AuditFilter {
  /** RFC 3339, UTC. */
  readonly since?: string | undefined;
  readonly user?: string | undefined;
  readonly app?: string | undefined;
  /** The event's name, or `app.*` for all that begin with `app.`. */
  readonly event?: string | undefined;
}

/** What a filter goes by. */
type Wanted =
  & Pick<AuditRecord, "time">
  & { readonly event: string; readonly user?: unknown; readonly app?: unknown };

/** Events looked at between two pauses: others are served meanwhile. */
const PAGE = 500;

/** Whether an event is wanted. */
export function isWanted(record: Wanted, filter: AuditFilter): boolean {
  const { since, user, app, event } = filter;
  if (since !== undefined && Date.parse(record.time) < Date.parse(since)) return false;
  if (user !== undefined && record.user !== user) return false;
  if (app !== undefined && record.app !== app) return false;
  if (event === undefined) return true;
  return event.endsWith("*") ? record.event.startsWith(event.slice(0, -1)) : record.event === event;
}

/** Finds the newest events that are wanted, oldest first. */
export async function findNewest(
  events: Pick<AuditEvents, "newest">,
  filter: AuditFilter,
  limit: number,
): Promise<AuditRecord[]> {
  const found: AuditRecord[] = [];
  const sinceMs = filter.since === undefined ? -Infinity : Date.parse(filter.since);
  let before: number | undefined;
  while (found.length < limit) {
    const page = await events.newest(PAGE, before);
    for (const { seq, body } of [...page].reverse()) {
      const record = withSeq(seq, body);
      // Written in the order of their times, but for a clock that was put back
      if (Date.parse(record.time) < sinceMs) return found.reverse();
      if (isWanted(record, filter) && found.push(record) === limit) break;
    }
    if (page.length < PAGE) break;
    before = page[0]!.seq;
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  return found.reverse();
}
