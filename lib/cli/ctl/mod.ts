/**
 * What the `vnet ctl` commands do: calls of the admin API, and lines or tables for people.
 *
 * @module
 */
export { audit } from "./audit.ts";
export { backup, copyToOther, restore } from "./backup.ts";
export { edit } from "./edit.ts";
export { create, get, remove } from "./resources.ts";
export { lock } from "./lock.ts";
export {
  addToken,
  addUser,
  listAgents,
  listApps,
  listSessions,
  listTokens,
  listUsers,
  removeAgent,
  removeSession,
  removeToken,
  removeUser,
  resetUser,
} from "./lists.ts";
export { status } from "./status.ts";
