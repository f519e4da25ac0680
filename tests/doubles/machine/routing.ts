/**
 * Links, addresses and routes in memory; a test writes them as people do.
 *
 * @module
 */
import { OsError } from "../../../lib/error.ts";
import { equalPrefix, formatIp, parsePrefix, type Prefix } from "../../../lib/ip/mod.ts";
import type {
  InterfaceAddress,
  NetworkWatch,
  Occupant,
  Route,
  Routing,
} from "../../../lib/os/mod.ts";
import { Queue } from "./queue.ts";

const MAIN_TABLE = 254;
const UNICAST = 1;

/** A routing table with `lo` and `eth0`, a default route and a network. */
export class MemoryRouting implements Routing {
  /** Whether a new link gets IPv6. */
  ipv6 = true;
  /** What is in use beside routes and addresses. */
  inUse: readonly Occupant[] = [];
  /** Thrown at whoever reads routes; `null` while nothing is wrong. */
  failure: Error | null = null;
  /** How often routes were read, or were to be. */
  reads = 0;
  readonly #links = new Map<string, number>([["lo", 1], ["eth0", 2]]);
  #routes: readonly Route[] = [];
  #addresses: readonly InterfaceAddress[] = [];
  #nextIfindex = 3;
  readonly #watches = new Set<Queue<true>>();

  constructor() {
    this.addAddress("127.0.0.1/8", "lo");
    this.addAddress("192.168.1.5/24", "eth0");
    this.addRoute("192.168.1.0/24", "eth0");
    this.addRoute("0.0.0.0/0", "eth0");
  }

  /** Makes a link. @param name `vnet%d` for the first number that is free. */
  addLink(name: string): { readonly name: string; readonly ifindex: number } {
    let chosen = name;
    for (let n = 0; name.includes("%d") && (chosen === name || this.#links.has(chosen)); n++) {
      chosen = name.replace("%d", String(n));
    }
    if (this.#links.has(chosen)) {
      throw new OsError("tun-busy", `Cannot open TUN device "${chosen}": another program has it`, {
        call: "TUNSETIFF",
        errno: "EBUSY",
      });
    }
    const ifindex = this.#nextIfindex++;
    this.#links.set(chosen, ifindex);
    this.#tell();
    return { name: chosen, ifindex };
  }

  /** Removes a link with its addresses and routes; one that is gone is fine. */
  removeLink(name: string): void {
    const ifindex = this.#links.get(name);
    if (ifindex === undefined) return;
    this.#links.delete(name);
    this.#routes = this.#routes.filter((route) => route.ifindex !== ifindex);
    this.#addresses = this.#addresses.filter((address) => address.ifindex !== ifindex);
    this.#tell();
  }

  /** Removes an address, as a network does that is left. */
  removeAddress(text: string, link: string): void {
    const ifindex = this.linkIndex(link);
    this.#addresses = this.#addresses.filter((one) =>
      one.ifindex !== ifindex || formatIp(one.address) !== text
    );
    this.#tell();
  }

  watch(): NetworkWatch {
    const news = new Queue<true>();
    this.#watches.add(news);
    return {
      next: async (signal) => {
        const first = await news.take(signal);
        news.takeNow();
        return first !== null;
      },
      [Symbol.asyncDispose]: () => {
        news.end();
        this.#watches.delete(news);
        return Promise.resolve();
      },
    };
  }

  addRoute(prefix: string, link: string): void {
    const ifindex = this.linkIndex(link);
    this.#routes = [
      ...this.#routes,
      { prefix: parsePrefix(prefix), table: MAIN_TABLE, type: UNICAST, ifindex, metric: 0 },
    ];
    this.#tell();
  }

  removeRoute(prefix: string, link: string): void {
    const ifindex = this.linkIndex(link);
    this.#routes = this.#routes.filter((route) =>
      route.ifindex !== ifindex || !equalPrefix(route.prefix, parsePrefix(prefix))
    );
    this.#tell();
  }

  /** @param text The address with the length of its network: `192.168.1.5/24`. */
  addAddress(text: string, link: string): void {
    const [address = "", length = ""] = text.split("/");
    const host = parsePrefix(`${address}/${address.includes(":") ? 128 : 32}`);
    this.#addresses = [...this.#addresses, {
      address: host.address,
      prefixLength: Number(length),
      ifindex: this.linkIndex(link),
    }];
    this.#tell();
  }

  /** What leads into a link. */
  routesOf(link: string): readonly Prefix[] {
    const ifindex = this.linkIndex(link);
    return this.#routes.filter((route) => route.ifindex === ifindex).map(({ prefix }) => prefix);
  }

  linkIndex(name: string): number {
    const ifindex = this.#links.get(name);
    if (ifindex !== undefined) return ifindex;
    throw unknownLink(`"${name}"`);
  }

  linkName(ifindex: number): string {
    for (const [name, index] of this.#links) if (index === ifindex) return name;
    throw unknownLink(String(ifindex));
  }

  routes(): readonly Route[] {
    this.reads++;
    if (this.failure !== null) throw this.failure;
    return this.#routes;
  }

  addresses(): readonly InterfaceAddress[] {
    return this.#addresses;
  }

  occupants(): readonly Occupant[] {
    return this.inUse;
  }

  hasIpv6(): Promise<boolean> {
    return Promise.resolve(this.ipv6);
  }

  confinementOf(link: string, { forwarding }: { readonly forwarding: boolean }): string {
    return `confine ${link} forwarding=${forwarding ? 1 : 0}`;
  }

  #tell(): void {
    for (const news of this.#watches) news.put(true);
  }
}

function unknownLink(which: string): OsError {
  return new OsError("link-unknown", `Cannot find link ${which}: no such device (ENODEV)`, {
    call: "SIOCGIFINDEX",
    errno: "ENODEV",
  });
}
