/**
 * Every check there is, causes before consequences.
 *
 * @module
 */
import { CLUSTER_CHECKS } from "./checks/cluster.ts";
import { DAEMON_CHECKS } from "./checks/daemon.ts";
import { DNS_CHECKS } from "./checks/dns.ts";
import { LEFTOVER_CHECKS } from "./checks/leftover.ts";
import { NETWORK_CHECKS } from "./checks/network.ts";
import { RESOLVER_CHECKS } from "./checks/resolver.ts";
import { ROUTE_CHECKS } from "./checks/route.ts";
import { SYSTEM_CHECKS } from "./checks/system.ts";
import { TARGET_CHECKS } from "./checks/target.ts";
import type { Check } from "./finding.ts";

/** The catalogue. */
export const CHECKS: readonly Check[] = [
  ...SYSTEM_CHECKS,
  ...LEFTOVER_CHECKS,
  ...CLUSTER_CHECKS,
  ...DAEMON_CHECKS,
  ...NETWORK_CHECKS,
  ...ROUTE_CHECKS,
  ...DNS_CHECKS,
  ...RESOLVER_CHECKS,
  ...TARGET_CHECKS,
];
