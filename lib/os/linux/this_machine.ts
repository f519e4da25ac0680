/**
 * Linux behind all of the ports.
 *
 * @module
 */
import type { ThisMachine } from "../this_machine.ts";
import { facts } from "./facts/host_facts.ts";
import { machine } from "./machine.ts";
import { inside, OwnResolver } from "./inside.ts";
import { commands, mounts, processes, root } from "./root_machine.ts";

export const linux: ThisMachine = {
  ...machine,
  ...{ root, processes, commands, facts, mounts },
  inside: () => inside(new OwnResolver(mounts)),
};
