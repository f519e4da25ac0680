/**
 * What a process that holds keys, or root's power, gives up once it runs.
 *
 * @module
 * @see seccomp(2), prctl(2)
 */
import { HARDEN } from "deno_tun";
import { ensure, type Shim } from "../shim.ts";

/** Holds for all threads, and for what they start. @throws {OsError} `harden-failed`. */
export function harden(
  shim: Shim,
  { programs, mounts = false }: { readonly programs: boolean; readonly mounts?: boolean },
): void {
  const flags = (programs ? 0 : HARDEN.noPrograms) + (mounts ? HARDEN.mayMount : 0);
  const result = shim.symbols.vnet_process_harden(flags);
  ensure(shim, result, {
    act: "give up what this process has no use for",
    call: "seccomp",
    code: "harden-failed",
  });
}
