/**
 * A cluster as a leaf of others: connected to their proxies as agents are, and carrying their users to its own agents.
 *
 * @module
 */
export { LeafLinks } from "./leaf_links.ts";
