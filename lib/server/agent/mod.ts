/**
 * The agent: serves apps of the network it is in, by dialling out.
 *
 * @module
 */
export { Agent } from "./agent.ts";
export { LocalUplink } from "./local_uplink.ts";
export { RemoteUplink } from "./remote_uplink.ts";
