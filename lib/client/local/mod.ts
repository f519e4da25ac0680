/**
 * Connections to apps without a device, an address or root: a local port, a local proxy, standard input and output.
 *
 * @module
 */
export { choosePort } from "./app_opener.ts";
export { AnyApps } from "./any_apps.ts";
export type { AppFacts, AppWay, OpenedApp } from "./app_way.ts";
export { carryGuarded, failureLine, openApp } from "./forward.ts";
export { LocalPort } from "./local_port.ts";
export { serveProxyConn } from "./proxy_conn.ts";
export { StdioConn } from "./stdio_conn.ts";
export { MfaDesk } from "../mfa/desk.ts";
