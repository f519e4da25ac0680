/**
 * Linux behind the port of facts.
 *
 * @module
 */
import type { HostFacts } from "../../host_facts.ts";
import { netAdmin, tunDevice } from "./capabilities.ts";
import { connectionsIn } from "./connections.ts";
import { findContainer, findDistribution } from "./distribution.ts";
import { readJournal } from "./journal.ts";
import { readNetwork } from "./network.ts";
import { isStopped, listCommandLines } from "./processes.ts";
import { findResolvedLink } from "./resolved_link.ts";
import { readNssHosts, readResolvConf } from "./resolver_files.ts";
import { findWays } from "./ways.ts";

export const facts: HostFacts = {
  netAdmin,
  tunDevice: () => tunDevice(),
  network: readNetwork,
  ways: findWays,
  connectionsIn,
  commandLines: () => listCommandLines(),
  isStopped: (pid) => isStopped(pid),
  resolvConf: () => readResolvConf(),
  nssHosts: () => readNssHosts(),
  journal: readJournal,
  resolvedLink: findResolvedLink,
  distribution: findDistribution,
  container: () => findContainer(),
};
