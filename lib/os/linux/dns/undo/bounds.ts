/**
 * What an undo may touch: what a journal says is followed only where a vnet of this machine could have been.
 *
 * @module
 */
import { DROP_IN } from "../backend/nm_dnsmasq.ts";
import { DEBIAN_RECORD } from "../backend/resolvconf.ts";
import type { Paths } from "../find/paths.ts";
import type { Entry } from "./journal.ts";

const LINK = /^vnet[0-9]{1,3}$/;

/** Tells whether an entry names only files, programs and records of vnet's own back ends. */
export function isWithinBounds(entry: Entry, paths: Paths): boolean {
  switch (entry.backend) {
    case "direct":
      return entry.path === paths.resolvConf;
    case "nm-dnsmasq":
      return entry.path === `${paths.nmDnsmasqDir}/${DROP_IN}`;
    case "openresolv":
      return isResolvconf(entry.program, paths) && LINK.test(entry.record);
    case "debian-resolvconf":
      return isResolvconf(entry.program, paths) && entry.record === DEBIAN_RECORD;
    default:
      return entry satisfies never;
  }
}

function isResolvconf(program: string, { programs }: Paths): boolean {
  return programs.some((directory) => program === `${directory}/resolvconf`);
}
