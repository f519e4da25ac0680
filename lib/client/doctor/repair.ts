/**
 * Repairs what a killed vnet left: `vnet doctor --fix`.
 *
 * @module
 */
import { describeError } from "../../error.ts";
import { type Facts, isRangeTaken } from "../../health/mod.ts";
import { formatIp, type IpAddress } from "../../ip/mod.ts";
import { destroySockets, loadShim, repair } from "../../os/mod.ts";
import type { Paths } from "../paths.ts";

/** One thing that was done, or could not be. */
export interface RepairStep {
  readonly done: boolean;
  readonly text: string;
}

export interface RepairOptions {
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
  steps.push(...endConnections(options.facts));
  steps.push(...await removeSocket(options));
  return steps;
}

async function repairDns({ facts, journalDir }: RepairOptions): Promise<readonly RepairStep[]> {
  const { journal, resolvConf } = facts;
  const isOwned = journal.kind === "measured" && journal.value.isOwned === true;
  const hasEntry = journal.kind === "measured" && journal.value.hasEntry;
  const isMarked = resolvConf.kind === "measured" && resolvConf.value.isOurs;
  if (isOwned || !(hasEntry || isMarked)) return [];
  if (facts.program.uid !== 0) return [needsRoot("repair this machine's DNS")];
  try {
    return (await repair(journalDir)).map((text) => ({ done: true, text }));
  } catch (thrown) {
    return [{ done: false, text: describeError(thrown) }];
  }
}

function endConnections(facts: Facts): readonly RepairStep[] {
  const { connectionsInRange, program } = facts;
  if (connectionsInRange.kind === "unknown" || isRangeTaken(facts)) return [];
  const remotes = new Map(connectionsInRange.value.map((remote) => [formatIp(remote), remote]));
  if (remotes.size === 0) return [];
  if (program.uid !== 0) return [needsRoot("end connections that lead nowhere")];
  return [...remotes].map(([text, address]) => endOne(text, address));
}

function endOne(text: string, address: IpAddress): RepairStep {
  try {
    const length = address.family === 4 ? 32 : 128;
    const count = destroySockets(loadShim(), { address, length });
    return {
      done: true,
      text: `ended ${count} ${count === 1 ? "connection" : "connections"} to ${text}`,
    };
  } catch (thrown) {
    return { done: false, text: describeError(thrown) };
  }
}

/** Only its owner removes it: root follows no path that somebody else can bend. */
async function removeSocket({ facts, paths }: RepairOptions): Promise<readonly RepairStep[]> {
  const { daemon, program } = facts;
  const isStale = daemon.kind === "measured" && daemon.value.kind === "down" &&
    daemon.value.crashed;
  if (!isStale || program.uid !== program.owner.uid) return [];
  try {
    await Deno.remove(paths.controlSocket);
    return [{ done: true, text: `removed ${paths.controlSocket}, on which nobody listened` }];
  } catch (thrown) {
    return [{ done: false, text: describeError(thrown) }];
  }
}

function needsRoot(act: string): RepairStep {
  return { done: false, text: `cannot ${act}: this needs root` };
}
