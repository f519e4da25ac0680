/**
 * The client: logins, the daemon that serves names and connections, and how commands ask it.
 *
 * @module
 */
export { listApps } from "./apps.ts";
export { ControlClient } from "./control/client.ts";
export { type DaemonOptions, runDaemon } from "./daemon.ts";
export { login, type LoginOptions, logout, parseProxy } from "./cluster/login.ts";
export { findOwner, type Owner, type Paths, resolvePaths, serviceRuntimeDir } from "./paths.ts";
export { planLines } from "./plan_lines.ts";
export { type Profile, profileName, ProfileStore } from "./cluster/profile.ts";
export { resolveName } from "./resolve.ts";
export { forgetSettings, loadSettings, settingsPath } from "./saved_settings.ts";
export { readStartError } from "./control/start_error.ts";
