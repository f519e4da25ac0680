/**
 * What serves a cluster: auth, proxy and agents, put together from their files.
 *
 * @module
 */
export { type RunningAgent, serveAgent } from "./agent_server.ts";
export { AdminClient, type AdminResponse, isWanted } from "./auth/mod.ts";
export { type RunningServer, serveCluster } from "./server.ts";
export { backUpStore, copyStore, restoreStore, type StoreKind } from "./store/mod.ts";
