/**
 * The proxy: one public port for clients, agents and the web API.
 *
 * @module
 */
export { type AdmissionLimits, DEFAULT_LIMITS } from "./admission.ts";
export { dialAsBalancer, isTrustedProxy } from "./balanced.ts";
export type { ForeignRelays } from "./foreign_relays.ts";
export { Proxy } from "./proxy.ts";
