import { gauge, type Metric } from "../diag/metrics.ts";
import type { FlowReports } from "./agents/flow_reports.ts";
import type { Parts } from "./foundation.ts";

/** The numbers of an auth service. */
export async function authMetrics(
  { agents, audit, store, options }: Parts,
  reports: FlowReports,
): Promise<readonly Metric[]> {
  const logins = await store.sessions.countLive(options.nowMs());
  return [
    gauge("vnet_agents_connected", "Agents that are connected.", agents.connectedIds().size),
    gauge("vnet_apps_served", "Apps that a connected agent serves.", agents.apps().length),
    gauge(
      "vnet_flows_open",
      "Connections to apps, as far as agents have told.",
      reports.open().length,
    ),
    gauge("vnet_logins_live", "Logins that have not ended.", logins),
    ...audit.counters.metrics(),
  ];
}
