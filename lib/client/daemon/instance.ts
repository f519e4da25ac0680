import { VnetError } from "../../error.ts";
import type { Paths } from "../paths.ts";

/**
 * Becomes the owner's one daemon; the kernel ends that with the process.
 *
 * @throws VnetError `already-up` while another one lives.
 */
export async function lockInstance(paths: Paths): Promise<Deno.FsFile> {
  const lock = await Deno.open(`${paths.runtimeDir}/daemon.lock`, {
    read: true,
    write: true,
    create: true,
    mode: 0o600,
  });
  if (await lock.tryLock(true)) return lock;
  lock.close();
  throw new VnetError("already-up", "Cannot start: you have a vnet daemon already", {
    hint: "See `vnet status`; `vnet restart` starts anew",
  });
}
