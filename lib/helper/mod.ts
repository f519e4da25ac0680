/**
 * The privileged process: it receives what is wanted of the machine, does it, and undoes it the moment its client
 * is gone. It never sees a key.
 *
 * @module
 */
export type { Admission } from "./admit.ts";
export { waitAsGuard } from "./guard.ts";
export { type Duties, serveClient, serveHelper } from "./serve.ts";
