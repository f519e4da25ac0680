/**
 * The operating system as vnet needs it, behind ports: {@link thisMachine} gives the one this process runs on.
 * Decides nothing. Everything throws `OsError` with the call and the errno's name.
 *
 * @module
 */
import { linux } from "./linux/this_machine.ts";
import type { ThisMachine } from "./this_machine.ts";

export { DatagramBatch } from "./datagram_batch.ts";
export type * from "./desktop.ts";
export type * from "./host_facts.ts";
export { journalFiles } from "./journal_files.ts";
export type * from "./machine.ts";
export type * from "./processes.ts";
export type * from "./root_machine.ts";
export type * from "./this_machine.ts";

/**
 * Gives the machine this process runs on. Nothing is loaded yet: an act that needs the shim throws OsError
 * `shim-missing` or `shim-unusable`.
 *
 * A test calls such an act at the top of its file, outside `Deno.test`: the shim stays loaded for the life of the
 * process, which the resource sanitizer would call a leak inside a test.
 */
export function thisMachine(): ThisMachine {
  return linux;
}
