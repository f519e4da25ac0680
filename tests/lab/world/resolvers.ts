/**
 * Hosts by the program that looks after their DNS: each brings up the real one on a host of the lab's LAN.
 *
 * @module
 */
import type { Host } from "../host/host.ts";
import type { Lab } from "../host/lab.ts";
import { installPackages } from "../host/packages.ts";
import type { LabProcess } from "../host/process.ts";
import { until } from "../host/wait.ts";

/** The resolver of the lab's world. */
const UPSTREAM = "203.0.113.53";
const READY_MS = 10_000;

export const RESOLVED_PACKAGES = ["systemd-resolved", "libnss-resolve", "dnsmasq-base"] as const;
export const MANAGER_PACKAGES = ["network-manager", "dnsmasq-base"] as const;

/** systemd-resolved on a host. */
export interface Resolved {
  /** Kills it and starts it again, as a crash and systemd would. */
  restart(): Promise<void>;
  stop(): Promise<void>;
  signal(signal: Deno.Signal): void;
}

/**
 * A host whose names go through systemd-resolved: nss, stub, and one uplink that has neither DNSSEC nor TLS.
 *
 * @param conf Lines of resolved.conf.
 */
export async function startResolved(lab: Lab, host: Host, conf = ""): Promise<Resolved> {
  await installPackages(lab, host, RESOLVED_PACKAGES);
  await startBus(lab, host);
  await host.script(`
    install -d -o systemd-resolve -g systemd-resolve /run/systemd/resolve
    mkdir -p /etc/systemd/resolved.conf.d
    printf '[Resolve]\\n${conf}' >/etc/systemd/resolved.conf.d/lab.conf
    ln -sfn ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
    sed -i 's/^hosts:.*/hosts: files resolve [!UNAVAIL=return] dns/' /etc/nsswitch.conf
  `);
  let running = await spawnResolved(lab, host);
  return {
    restart: async () => {
      await running.stop("SIGKILL");
      running = await spawnResolved(lab, host);
    },
    stop: () => running.stop("SIGTERM"),
    signal: (signal) => running.signal(signal),
  };
}

async function spawnResolved(lab: Lab, host: Host): Promise<LabProcess> {
  const log = lab.log(`resolved-${host.name}`);
  const running = host.spawn(["/usr/lib/systemd/systemd-resolved"], { log });
  await onBus(host, "org.freedesktop.resolve1");
  await host.script(`
    resolvectl dns eth0 ${UPSTREAM}
    resolvectl domain eth0 '~.'
    resolvectl dnssec eth0 no
    resolvectl dnsovertls eth0 no
  `);
  return running;
}

/** systemd-networkd with a file that claims every vnet link. */
export async function startNetworkd(lab: Lab, host: Host): Promise<void> {
  await host.script(`
    install -d -o systemd-network -g systemd-network /run/systemd/netif
    printf '[Match]\\nName=vnet*\\n[Network]\\nKeepConfiguration=static\\n' >/etc/systemd/network/zz-all.network
  `);
  host.spawn(["/usr/lib/systemd/systemd-networkd"], { log: lab.log(`networkd-${host.name}`) });
  await onBus(host, "org.freedesktop.network1");
}

/** NetworkManager, which writes resolv.conf itself (`default`) or runs a dnsmasq (`dnsmasq`). */
export async function startNetworkManager(
  lab: Lab,
  host: Host,
  mode: "default" | "dnsmasq",
): Promise<void> {
  await installPackages(lab, host, MANAGER_PACKAGES);
  await startBus(lab, host);
  // It takes a device for its own without udev only where /sys is read-only.
  await host.script(`
    mount -o remount,bind,ro /sys
    mkdir -p /etc/NetworkManager/conf.d /etc/NetworkManager/dnsmasq.d /etc/NetworkManager/system-connections
    printf '[main]\\nplugins=keyfile\\nno-auto-default=eth0\\ndns=${mode}\\n' >/etc/NetworkManager/conf.d/lab.conf
    rm /etc/resolv.conf
  `);
  host.spawn(["/usr/sbin/NetworkManager", "--no-daemon"], { log: lab.log(`nm-${host.name}`) });
  const says = async (pattern: RegExp, ...args: string[]) => {
    const { stdout } = await host.run(["nmcli", "-t", ...args], { expect: "any", quiet: true });
    return pattern.test(stdout);
  };
  await until("NetworkManager runs", READY_MS, () => says(/^running/, "-f", "RUNNING", "general"));
  await host.run(["nmcli", "device", "set", "eth0", "managed", "yes"]);
  await until("NetworkManager has the device", READY_MS, () => {
    return says(/^eth0:(disconnected|connected)/m, "-f", "DEVICE,STATE", "device");
  });
  const addresses = await host.output(["ip", "-o", "-4", "address", "show", "dev", "eth0"]);
  const ipv4 = addresses.match(/inet (\S+)/)?.[1] ?? "";
  // deno-fmt-ignore
  await host.run(["nmcli", "connection", "add", "type", "ethernet", "con-name", "wan", "ifname", "eth0",
    "ipv4.method", "manual", "ipv4.addresses", ipv4, "ipv4.gateway", "192.168.77.1",
    "ipv4.dns", UPSTREAM, "ipv4.dns-search", "lan.test", "ipv6.method", "ignore"]);
  await host.run(["nmcli", "connection", "up", "wan"]);
  await until("public names resolve", READY_MS, async () => {
    const getent = ["getent", "ahostsv4", "www.example.com"];
    return (await host.run(getent, { expect: "any", quiet: true })).code === 0;
  });
}

/** openresolv, or Debian's resolvconf, with a record of the uplink. */
export async function startResolvconf(
  lab: Lab,
  host: Host,
  flavour: "openresolv" | "resolvconf",
): Promise<void> {
  await installPackages(lab, host, [flavour]);
  await host.script(
    flavour === "openresolv" ? "rm /etc/resolv.conf" : `
      mkdir -p /run/resolvconf/interface
      resolvconf --enable-updates
      ln -sfn /run/resolvconf/resolv.conf /etc/resolv.conf`,
  );
  // Its exit status is that of the last program it tells, and not all that are installed here run.
  await host.script(
    `printf 'nameserver ${UPSTREAM}\\nsearch lan.test\\n' | resolvconf -a eth0.dhcp`,
    { expect: "any" },
  );
}

async function startBus(lab: Lab, host: Host): Promise<void> {
  await host.script(`
    mkdir -p /run/dbus /run/systemd
    for user in systemd-resolve:991 systemd-network:992 messagebus:993; do
      name=\${user%:*}; id=\${user#*:}
      grep -q "^$name:" /etc/passwd || echo "$name:x:$id:$id::/:/usr/sbin/nologin" >>/etc/passwd
      grep -q "^$name:" /etc/group || echo "$name:x:$id:" >>/etc/group
    done
  `);
  const socket = "unix:path=/run/dbus/system_bus_socket";
  // deno-fmt-ignore
  host.spawn(["dbus-daemon", "--system", "--nofork", "--nopidfile", `--address=${socket}`],
    { log: lab.log(`bus-${host.name}`) });
  await onBus(host, "org.freedesktop.DBus");
}

async function onBus(host: Host, name: string): Promise<void> {
  const bus = "org.freedesktop.DBus";
  await until(`${name} is on the bus`, READY_MS, async () => {
    const ask = ["busctl", "call", bus, "/org/freedesktop/DBus", bus, "NameHasOwner", "s", name];
    const { stdout } = await host.run(ask, { expect: "any", quiet: true });
    return stdout.trim() === "b true";
  });
}
