/**
 * What `vnet doctor` sees of a healthy machine in memory: its links and routes are the machine's own, the rest is as
 * a plain host has it. A test breaks one thing of it.
 *
 * @module
 */
import type { HostsSource } from "../../lib/dns/mod.ts";
import type {
  JournalFacts,
  Measured,
  NetworkFacts,
  ResolvConfFacts,
  ResolvedLinkFacts,
  Way,
} from "../../lib/health/mod.ts";
import { contains, type IpAddress, type Prefix } from "../../lib/ip/mod.ts";
import type { CommandLine, HostFacts, WayTarget } from "../../lib/os/mod.ts";
import type { MemoryMachine } from "./machine.ts";

export class MemoryFacts implements HostFacts {
  /** What sits in the processes' command lines. */
  lines: readonly CommandLine[] = [];
  resolvConfFacts: ResolvConfFacts = {
    path: "/etc/resolv.conf",
    kind: "file",
    isOurs: false,
    owner: null,
    nameservers: ["127.0.0.53"],
    modifiedMs: 0,
  };
  journalFacts: Omit<JournalFacts, "path"> = { hasEntry: false, isOwned: false };
  resolved: Measured<ResolvedLinkFacts | "absent" | "silent"> = unmeasured("not looked at");
  tun: string | null = null;
  readonly #machine: MemoryMachine;

  constructor(machine: MemoryMachine) {
    this.#machine = machine;
  }

  netAdmin(): Promise<Measured<boolean>> {
    return Promise.resolve({ kind: "measured", value: Deno.uid() === 0 });
  }

  tunDevice(): Promise<string | null> {
    return Promise.resolve(this.tun);
  }

  network(): NetworkFacts {
    const { routing } = this.#machine;
    const indexes = new Set(routing.addresses().map(({ ifindex }) => ifindex));
    for (const { ifindex } of routing.routes()) if (ifindex > 0) indexes.add(ifindex);
    return {
      links: [...indexes].map((ifindex) => ({
        ifindex,
        name: routing.linkName(ifindex),
        isUp: true,
        mtu: 65_535,
      })),
      addresses: routing.addresses(),
      routes: routing.routes(),
    };
  }

  /** By the longest prefix, as a kernel without policy rules goes. */
  ways(targets: readonly WayTarget[]): Promise<Measured<readonly Way[]>> {
    const { routing } = this.#machine;
    const routes = routing.routes().toSorted((a, b) => b.prefix.length - a.prefix.length);
    const value = targets.map(({ target, what }) => {
      const route = routes.find(({ prefix }) => contains(prefix, target));
      return { target, what, link: route === undefined ? null : routing.linkName(route.ifindex) };
    });
    return Promise.resolve({ kind: "measured", value });
  }

  connectionsIn(_ranges: readonly Prefix[]): readonly IpAddress[] {
    return [];
  }

  commandLines(): readonly CommandLine[] {
    return this.lines;
  }

  isStopped(_pid: number): boolean {
    return false;
  }

  resolvConf(): Promise<ResolvConfFacts> {
    return Promise.resolve(this.resolvConfFacts);
  }

  nssHosts(): Promise<readonly HostsSource[] | null> {
    return Promise.resolve([{ service: "files", actions: [] }, { service: "dns", actions: [] }]);
  }

  journal(directory: string): Promise<JournalFacts> {
    return Promise.resolve({ path: `${directory}/journal`, ...this.journalFacts });
  }

  resolvedLink(_link: string): Promise<Measured<ResolvedLinkFacts | "absent" | "silent">> {
    return Promise.resolve(this.resolved);
  }

  distribution(): Promise<string | null> {
    return Promise.resolve("Memory 1");
  }

  container(): Promise<string | null> {
    return Promise.resolve(null);
  }
}

function unmeasured(reason: string): Measured<never> {
  return { kind: "unknown", reason };
}
