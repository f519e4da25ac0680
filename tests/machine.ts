/**
 * The real machine, for tests: its shim is loaded here, outside of any test, where it does not count as a leak.
 *
 * @module
 */
import { type ThisMachine, thisMachine } from "../lib/os/mod.ts";

export const machine: ThisMachine = thisMachine();
machine.routing.addresses();
