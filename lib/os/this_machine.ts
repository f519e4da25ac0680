/**
 * All that can be asked of the machine this process runs on.
 *
 * @module
 */
import type { HostFacts } from "./host_facts.ts";
import type { Machine } from "./machine.ts";
import type { Commands, Processes } from "./processes.ts";
import type { RootMachine } from "./root_machine.ts";

/** A machine with its rarer ports. */
export interface ThisMachine extends Machine {
  readonly root: RootMachine;
  readonly processes: Processes;
  readonly commands: Commands;
  readonly facts: HostFacts;
  readonly mounts: Mounts;
  /**
   * Makes the namespaces that this process has of its own a machine for vnet to serve: whoever enters them asks our DNS
   * server, and nothing has to be undone. To be called once, before anything else is there.
   *
   * @throws OsError `mount-failed`, `link-unknown`
   */
  inside(): RootMachine;
}

/** How a file or folder appears at another place. */
export interface BindOptions {
  readonly readOnly?: boolean;
  /** With what is mounted below the source, and on it. */
  readonly recursive?: boolean;
}

/** The mounts of this process's namespace. */
export interface Mounts {
  /** Stops mounts of this mount namespace from reaching others and the other way round. */
  separate(): void;
  /** Makes `source` appear at `target`, both of which exist. @throws OsError `mount-failed` */
  bind(source: string, target: string, options?: BindOptions): void;
  /** Mounts an empty file system in memory. @throws OsError `mount-failed` */
  tmpfs(target: string, options?: string): void;
  /** Takes a mount away; what is in use of it stays. @throws OsError `mount-failed` */
  remove(target: string): void;
}
