/**
 * Links, addresses and routes, all at once.
 *
 * @module
 */
import type { LinkFacts, NetworkFacts } from "../../../health/mod.ts";
import { linkIndex, listAddresses, listRoutes } from "../net/netlink.ts";
import { loadShim, type Shim } from "../shim.ts";

const IFF_UP = 1;

/** Reads links, addresses and routes. @throws OsError `shim-missing` where the shim was not built. */
export function readNetwork(): NetworkFacts {
  const shim = loadShim();
  return { links: readLinks(shim), addresses: listAddresses(shim), routes: listRoutes(shim) };
}

function readLinks(shim: Shim): readonly LinkFacts[] {
  const names = parseLinkNames(Deno.readTextFileSync("/proc/self/net/dev"));
  return names.flatMap((name) => {
    try {
      const ifindex = linkIndex(shim, name);
      return [{ ifindex, name, ...readSysfs(name, ifindex) }];
    } catch {
      return []; // it went away while we looked
    }
  });
}

/** Reads the names in the kernel's table of links, below its two lines of heading. @see proc_pid_net(5) */
export function parseLinkNames(table: string): readonly string[] {
  return table.split("\n").slice(2).flatMap((line) => /^\s*([^:]+):/.exec(line)?.[1] ?? []);
}

/** sysfs may belong to another network namespace: only a link of the same number is the same one. */
function readSysfs(name: string, ifindex: number): Pick<LinkFacts, "isUp" | "mtu"> {
  try {
    const read = (file: string) => Number(Deno.readTextFileSync(`/sys/class/net/${name}/${file}`));
    if (read("ifindex") !== ifindex) return { isUp: null, mtu: null };
    return { isUp: (read("flags") & IFF_UP) !== 0, mtu: read("mtu") };
  } catch {
    return { isUp: null, mtu: null };
  }
}
