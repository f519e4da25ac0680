/**
 * The client: logins, the daemon that serves names and connections, and how commands ask it.
 *
 * @module
 */
export { listApps } from "./apps.ts";
export { ControlClient } from "./control_client/mod.ts";
export { type DaemonOptions, runDaemon } from "./daemon.ts";
export { login, type LoginOptions, logout, parseProxy } from "./login.ts";
export { findOwner, type Owner, type Paths, resolvePaths, serviceRuntimeDir } from "./paths/mod.ts";
export { parseRange, planLines, type PlanSettings } from "./plan_lines.ts";
export { type Profile, profileName, ProfileStore } from "./profile.ts";
export { resolveName } from "./resolve.ts";
export { readStartError } from "./start_error.ts";
