/**
 * The world of most stories.
 *
 * ```text
 *      LAN 192.168.77.0/24               internet 203.0.113.0/24
 *      2001:db8:77::/64                  2001:db8:113::/64
 *
 *    client .10 ──┐                         ┌── .10 proxy     vnet server: auth and proxy
 *    vnet up      ├── lan0  router  net0 ───┤
 *    lan    .20 ──┘           │             └── .53 resolver  dnsmasq
 *                           priv0
 *                             │  10.20.0.0/24, 2001:db8:20::/64
 *                             │  (no way in: the router forwards from here, never to here)
 *                        agent .10   vnet agent; PostgreSQL, nginx, Redis and a socket server on loopback
 * ```
 *
 * The router masquerades IPv4 of both private networks. Every host asks 203.0.113.53 for names.
 *
 * @module
 */
import { Cluster } from "./cluster.ts";
import type { Host } from "../host/host.ts";
import type { Lab } from "../host/lab.ts";
import type { LabProcess } from "../host/process.ts";
import { startNginx, startPostgres, startRedis, startResolver, startSockets } from "./services.ts";
import { type Status, Vnet } from "./vnet.ts";

/** Which servers run behind the agent. */
export type Service = "postgres" | "nginx" | "redis" | "sockets";

/** The user everybody logs in as. */
export const USER = "alice";
export const PASSWORD = "correct horse battery staple";

export class World {
  readonly lab: Lab;
  readonly client: Host;
  readonly lan: Host;
  readonly router: Host;
  readonly proxy: Host;
  readonly resolver: Host;
  readonly agent: Host;
  readonly cluster: Cluster;
  /** The server behind the app "sockets", if it was asked for. */
  readonly sockets: LabProcess | null;
  /** vnet on the client host, as root. */
  readonly vnet: Vnet;

  private constructor(lab: Lab, hosts: Hosts, cluster: Cluster, sockets: LabProcess | null) {
    this.lab = lab;
    this.client = hosts.client;
    this.lan = hosts.lan;
    this.router = hosts.router;
    this.proxy = hosts.proxy;
    this.resolver = hosts.resolver;
    this.agent = hosts.agent;
    this.cluster = cluster;
    this.sockets = sockets;
    this.vnet = new Vnet(hosts.client);
  }

  /** Starts hosts, servers, the cluster and its agent. Nobody is logged in yet. */
  static open(lab: Lab, ...services: readonly Service[]): Promise<World> {
    return World.openWith(lab, [], ...services);
  }

  /** Does that with more records in the resolver, given as options of dnsmasq. */
  static async openWith(
    lab: Lab,
    records: readonly string[],
    ...services: readonly Service[]
  ): Promise<World> {
    const hosts = await openHosts(lab);
    await startResolver(lab, hosts.resolver, records);
    const wants = (service: Service) => services.includes(service);
    // deno-fmt-ignore
    const [sockets] = await Promise.all([
      wants("sockets") ? startSockets(lab, hosts.agent) : null,
      wants("postgres") ? startPostgres(lab, hosts.agent) : null,
      wants("nginx") ? startNginx(lab, hosts.agent) : null,
      wants("redis") ? startRedis(lab, hosts.agent) : null,
    ]);
    const cluster = await Cluster.open(lab, hosts.proxy);
    await cluster.addUser(USER, PASSWORD, "dev");
    await cluster.addAgent(hosts.agent);
    return new World(lab, hosts, cluster, sockets);
  }

  /** Logs in on the client host and brings vnet up. */
  async up(vnet: Vnet = this.vnet): Promise<Status> {
    await this.login(vnet);
    await vnet.run(["up", "--detach"]);
    await vnet.run(["wait"]);
    return await vnet.json<Status>(["status"]);
  }

  async login(vnet: Vnet = this.vnet, ...extra: readonly string[]): Promise<void> {
    // deno-fmt-ignore
    await vnet.run(["login", "--proxy", "vnet.example.com", "--user", USER,
      "--ca-pin", this.cluster.caPin, "--password-stdin", ...extra], { stdin: `${PASSWORD}\n` });
  }

  /** The address of a name as programs on the client host get it. */
  async address(name: string, family: 4 | 6): Promise<string> {
    const database = family === 4 ? "ahostsv4" : "ahostsv6";
    const answer = await this.client.output(["getent", database, name]);
    return answer.split(/\s/)[0]!;
  }
}

interface Hosts {
  readonly client: Host;
  readonly lan: Host;
  readonly router: Host;
  readonly proxy: Host;
  readonly resolver: Host;
  readonly agent: Host;
}

/** Starts another host on the LAN. Like all of them it asks 203.0.113.53 for names. */
export async function openLanHost(
  lab: Lab,
  router: Host,
  name: string,
  octet: number,
): Promise<Host> {
  const host = await lab.host(name);
  await attach(lab, host, router, "lan0", `192.168.77.${octet}/24`, `2001:db8:77::${octet}/64`);
  await gateways(host, "192.168.77.1", "2001:db8:77::1");
  return host;
}

/** Starts and wires the hosts of the picture above. */
export async function openHosts(lab: Lab): Promise<Hosts> {
  const [client, lan, router, proxy, resolver, agent] = await lab.hosts(
    "client",
    "lan",
    "router",
    "proxy",
    "resolver",
    "agent",
  );
  await router.script(`
    ip link add lan0 type bridge
    ip link add net0 type bridge
    sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    ! [ -e /proc/sys/net/bridge ] || sysctl -qw net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0
  `);
  await attach(lab, client, router, "lan0", "192.168.77.10/24", "2001:db8:77::10/64");
  await attach(lab, lan, router, "lan0", "192.168.77.20/24", "2001:db8:77::20/64");
  await attach(lab, proxy, router, "net0", "203.0.113.10/24", "2001:db8:113::10/64");
  await attach(lab, resolver, router, "net0", "203.0.113.53/24", "2001:db8:113::53/64");
  await lab.wire(router, "priv0", agent, "eth0");
  await router.script(`
    ip address add 192.168.77.1/24 dev lan0
    ip address add 2001:db8:77::1/64 dev lan0
    ip address add 203.0.113.1/24 dev net0
    ip address add 2001:db8:113::1/64 dev net0
    ip address add 10.20.0.1/24 dev priv0
    ip address add 2001:db8:20::1/64 dev priv0
    ip link set lan0 up
    ip link set net0 up
    nft add table inet router
    nft add chain inet router forward '{ type filter hook forward priority 0; policy drop; }'
    nft add rule inet router forward ct state established,related accept
    nft add rule inet router forward oifname net0 accept
    nft add table ip router4
    nft add chain ip router4 nat '{ type nat hook postrouting priority 100; }'
    nft add rule ip router4 nat oifname net0 masquerade
  `);
  await address(agent, "10.20.0.10/24", "2001:db8:20::10/64");
  for (const host of [client, lan]) await gateways(host, "192.168.77.1", "2001:db8:77::1");
  for (const host of [proxy, resolver]) await gateways(host, "203.0.113.1", "2001:db8:113::1");
  await gateways(agent, "10.20.0.1", "2001:db8:20::1");
  return { client, lan, router, proxy, resolver, agent };
}

async function attach(
  lab: Lab,
  host: Host,
  router: Host,
  bridge: string,
  ipv4: string,
  ipv6: string,
): Promise<void> {
  await lab.wire(router, `to-${host.name}`, host, "eth0");
  await router.run(["ip", "link", "set", `to-${host.name}`, "master", bridge]);
  await address(host, ipv4, ipv6);
}

async function address(host: Host, ipv4: string, ipv6: string): Promise<void> {
  await host.script(`ip address add ${ipv4} dev eth0\nip address add ${ipv6} dev eth0`);
}

async function gateways(host: Host, ipv4: string, ipv6: string): Promise<void> {
  await host.script(`ip route add default via ${ipv4}\nip -6 route add default via ${ipv6}`);
}
