/**
 * The client: logins, the daemon that serves names and connections, and how commands ask it.
 *
 * @module
 */
export { listApps } from "./apps.ts";
export { listClusters } from "./cluster_list.ts";
export { ControlClient } from "./control/client.ts";
export { daemonForCommand } from "./daemon/for_command.ts";
export { runDaemon } from "./daemon/run.ts";
export { loginCommand } from "./state/mod.ts";
export type { LoginVisit } from "./cluster/driver.ts";
export { login, logout, parseProxy } from "./cluster/login.ts";
export { type Paths, serviceRuntimeDir } from "./paths.ts";
export { planLines } from "./plan_lines.ts";
export { profileName, ProfileStore } from "./cluster/profile.ts";
export { resolveName } from "./resolve.ts";
export { forgetSettings, loadSettings, settingsPath } from "./saved_settings.ts";
export { changeZone, listZones } from "./zones/list.ts";
export type { ZoneRequest } from "./zones/decide.ts";
export { readStartError } from "./control/start_error.ts";
