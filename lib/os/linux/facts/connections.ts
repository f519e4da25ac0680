/**
 * The connections that programs of this machine have open.
 *
 * @module
 */
import { contains, type IpAddress, type Prefix } from "../../../ip/mod.ts";
import { readSocketTables, TCP_STATE } from "../net/socket_tables.ts";

/** A program has these open, or is about to. */
const OPEN_STATES: ReadonlySet<number> = new Set([
  TCP_STATE.established,
  TCP_STATE.synSent,
  TCP_STATE.closeWait,
]);

/** Lists the remote ends of this machine's TCP connections that lie in some ranges; no root is needed. */
export function connectionsIn(ranges: readonly Prefix[]): readonly IpAddress[] {
  return readSocketTables(["tcp", "tcp6"]).filter(({ state }) => OPEN_STATES.has(state))
    .map(({ remote }) => remote)
    .filter((address) => ranges.some((range) => contains(range, address)));
}
