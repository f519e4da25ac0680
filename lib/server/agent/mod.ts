/**
 * The agent: serves apps of the network it is in, by dialling out.
 *
 * @module
 */
export { Agent } from "./agent.ts";
export { ControlChannel, type Dial } from "./control_channel.ts";
export { leafHelloOf } from "./hello.ts";
export { Line } from "./line.ts";
export { LocalUplink } from "./local_uplink.ts";
export { RemoteUplink } from "./remote_uplink.ts";
