/**
 * Repairs what a killed vnet left: `vnet doctor --fix`.
 *
 * @module
 */
import { describeError } from "../../error.ts";
import { type Facts, isRangeTaken } from "../../health/mod.ts";
import { formatIp, type IpAddress, type Prefix } from "../../ip/mod.ts";
import type { RootMachine } from "../../os/mod.ts";
import type { Paths } from "../paths.ts";

/** One thing that was done, or could not be. */
export interface RepairStep {
  readonly done: boolean;
  readonly text: string;
}

interface RepairOptions {
  readonly machine: {
    readonly journal: Pick<RootMachine["journal"], "repair">;
    readonly sockets: Pick<RootMachine["sockets"], "destroyTo">;
  };
  readonly facts: Facts;
  readonly paths: Paths;
  readonly journalDir: string;
}

/**
 * Repairs everything the facts show as left behind by a vnet that is gone. What a living vnet owns stays.
 *
 * @returns What was done, in order; empty when there was nothing to repair.
 */
export async function repairLeftovers(options: RepairOptions): Promise<readonly RepairStep[]> {
  const steps: RepairStep[] = [];
  steps.push(...await repairDns(options));
  steps.push(...endConnections(options));
  steps.push(...await removeSockets(options));
  return steps;
}

async function repairDns(
  { machine, facts, journalDir }: RepairOptions,
): Promise<readonly RepairStep[]> {
  const { journal, resolvConf } = facts;
  const isOwned = journal.kind === "measured" && journal.value.isOwned === true;
  const hasEntry = journal.kind === "measured" && journal.value.hasEntry;
  const isMarked = resolvConf.kind === "measured" && resolvConf.value.isOurs;
  if (isOwned || !(hasEntry || isMarked)) return [];
  if (facts.program.uid !== 0) return [needsRoot("repair this machine's DNS")];
  try {
    return (await machine.journal.repair(journalDir)).map((text) => ({ done: true, text }));
  } catch (thrown) {
    return [{ done: false, text: describeError(thrown) }];
  }
}

function endConnections({ machine, facts }: RepairOptions): readonly RepairStep[] {
  const { connectionsInRange, program } = facts;
  if (connectionsInRange.kind === "unknown" || isRangeTaken(facts)) return [];
  const remotes = new Map(connectionsInRange.value.map((remote) => [formatIp(remote), remote]));
  if (remotes.size === 0) return [];
  if (program.uid !== 0) return [needsRoot("end connections that lead nowhere")];
  return [...remotes].map(([text, address]) => {
    try {
      const count = machine.sockets.destroyTo(hostPrefix(address));
      const what = count === 1 ? "connection" : "connections";
      return { done: true, text: `ended ${count} ${what} to ${text}` };
    } catch (thrown) {
      return { done: false, text: describeError(thrown) };
    }
  });
}

function hostPrefix(address: IpAddress): Prefix {
  return { address, length: address.family === 4 ? 32 : 128 };
}

/** Only their owner removes them: root follows no path that somebody else can bend. */
async function removeSockets({ facts, paths }: RepairOptions): Promise<readonly RepairStep[]> {
  const { daemon, program } = facts;
  const isStale = daemon.kind === "measured" && daemon.value.kind === "down" &&
    daemon.value.crashed;
  if (!isStale || program.uid !== program.owner.uid) return [];
  const sockets = await Promise.all([paths.controlSocket, paths.appSocket].map(removeSocket));
  return sockets.flat();
}

async function removeSocket(path: string): Promise<readonly RepairStep[]> {
  try {
    await Deno.remove(path);
    return [{ done: true, text: `removed ${path}, on which nobody listened` }];
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return [];
    return [{ done: false, text: describeError(thrown) }];
  }
}

function needsRoot(act: string): RepairStep {
  return { done: false, text: `cannot ${act}: this needs root` };
}
