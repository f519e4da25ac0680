/**
 * The messages of vnet's own protocol, as schemas: the cluster's API, the channel between agent and proxy, the
 * daemon's requests to the helper. Both sides parse what they receive with these. Pure.
 *
 * @module
 */
export * from "./api.ts";
export * from "./agent_channel.ts";
export * from "./carrier.ts";
export * from "./helper.ts";
export * from "./oidc.ts";
