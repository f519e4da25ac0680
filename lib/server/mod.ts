/**
 * What serves a cluster: auth, proxy and agents, put together from their files.
 *
 * @module
 */
export { type RunningAgent, serveAgent } from "./agent_server.ts";
export {
  Admin,
  ADMIN_OPERATIONS,
  type AdminArguments,
  AdminClient,
  type AdminOperation,
  type AdminRequest,
  type AdminResponse,
  Auth,
  type AuthService,
} from "./auth/mod.ts";
export { type Running, type RunningServer, serveCluster, type ServeOptions } from "./server.ts";
