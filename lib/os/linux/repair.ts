/**
 * Undoing what a killed vnet left on this machine.
 *
 * @module
 */
import { OsError } from "../../error.ts";
import { forgetJournal, repair as repairDns } from "./dns/mod.ts";
import { repairLinks } from "./link_journal.ts";
import { listAddresses, listRoutes } from "./net/netlink.ts";
import { loadShim } from "./shim.ts";
import { destroySockets } from "./net/sockets.ts";

/**
 * Ends the connections that lead nowhere, then undoes the changes to the resolver's settings. Idempotent; what a
 * living vnet has stays.
 *
 * @returns What was done, line by line; empty when there was nothing to do.
 * @throws OsError `dns-journal-unwritable`, `resolv-conf-read-only`
 */
export async function repair(journalDir: string): Promise<string[]> {
  const wasThere = await Deno.lstat(journalDir).then(() => true, () => false);
  const lines = [...repairConnections(journalDir), ...await repairDns(journalDir)];
  if (!wasThere) {
    await forgetJournal(journalDir);
    await Deno.remove(journalDir).catch(() => {}); // Somebody else keeps something there by now.
  }
  return lines;
}

/**
 * Ends the connections that killed vnets left. Names that do not resolve are worse than clients that wait: a failure
 * is a line, so that the rest is repaired.
 *
 * @returns What was done, line by line.
 */
export function repairConnections(journalDir: string): string[] {
  if (Deno.uid() !== 0) return [];
  try {
    const shim = loadShim();
    const taken = [
      ...listRoutes(shim),
      ...listAddresses(shim).map(({ ifindex, address }) => ({
        ifindex,
        prefix: { address, length: address.family === 4 ? 32 : 128 },
      })),
    ];
    return repairLinks(journalDir, { taken, destroy: (prefix) => destroySockets(shim, prefix) });
  } catch (thrown) {
    if (!(thrown instanceof OsError)) throw thrown;
    return [`could not end connections: ${thrown.message}`];
  }
}
