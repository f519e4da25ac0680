/**
 * All that can be asked of the machine this process runs on.
 *
 * @module
 */
import type { HostFacts } from "./host_facts.ts";
import type { Machine } from "./machine.ts";
import type { Processes } from "./processes.ts";
import type { RootMachine } from "./root_machine.ts";

/** A machine with its rarer ports. */
export interface ThisMachine extends Machine {
  readonly root: RootMachine;
  readonly processes: Processes;
  readonly facts: HostFacts;
  readonly mounts: Mounts;
}

/** The mounts of this process's namespace. */
export interface Mounts {
  /** Stops mounts of this mount namespace from reaching others and the other way round. */
  separate(): void;
  /** Makes `source` appear at `target`, both of which exist. @throws OsError `mount-failed` */
  bind(source: string, target: string, options?: { readonly readOnly?: boolean }): void;
  /** Mounts an empty file system in memory. @throws OsError `mount-failed` */
  tmpfs(target: string, options?: string): void;
}
