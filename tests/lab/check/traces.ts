/**
 * Everything about a host that vnet must leave as it was, as text to compare: files with their bytes, and what the
 * kernel knows of the network.
 *
 * @module
 */
import type { Host } from "../host/host.ts";

/** Counters and clocks of the kernel, which change by themselves. */
const RESTLESS_SYSCTLS = [
  "net.netfilter.nf_conntrack_count",
  "fs\\.",
  "kernel\\.(random|ns_last_pid|pty|perf|sched)",
].join("|");

const NETWORK = `
  echo '--- links'; ip -o link | sed 's/ qlen [0-9]*//'
  echo '--- addresses'; ip -o address | sed 's/ *valid_lft.*//'
  echo '--- rules'; ip -4 rule; ip -6 rule
  echo '--- routes'; ip -4 route show table all; ip -6 route show table all | sed 's/ expires [0-9]*sec//'
  echo '--- qdiscs'; tc qdisc show
  echo '--- firewall'; nft list ruleset
  echo '--- resolver'; stat -c '%F %a %u:%g %N' /etc/resolv.conf; od -An -tx1 /etc/resolv.conf
`;

/** What the kernel knows of the network, and the resolver's file. */
export async function networkOf(host: Host): Promise<string> {
  return await host.output(["sh", "-euc", NETWORK], { quiet: true });
}

/** Every file below some folders with kind, mode, owner and bytes; sorted. */
export async function filesBelow(host: Host, ...folders: readonly string[]): Promise<string[]> {
  const script = `
    find "$@" -xdev \\( -type l -printf '%p link %m %U:%G %l\\n' \\) -o \\
      \\( -type d -printf '%p folder %m %U:%G\\n' \\) -o \\
      \\( ! -type f -printf '%p %y %m %U:%G\\n' \\)
    find "$@" -xdev -type f -printf '%p file %m %U:%G\\0' | while IFS= read -r -d '' line; do
      echo "$line $(sha256sum <"\${line% file *}")"
    done
  `;
  const text = await host.output(["bash", "-euc", script, "bash", ...folders], { quiet: true });
  return text.split("\n").sort();
}

/** All settings of the kernel that do not change by themselves. */
async function sysctlsOf(host: Host): Promise<string[]> {
  const script = `sysctl -a 2>/dev/null | grep -Ev '^(${RESTLESS_SYSCTLS})' | sort`;
  return (await host.output(["sh", "-euc", script], { quiet: true })).split("\n");
}

/** What vnet may leave on purpose: the folder of root's journal with its logs, and the owner's own folders. */
const ITS_OWN = new RegExp(
  "^(" + [
    "/var/lib/vnet(/(osdns\\.lock|(helper|daemon)-0\\.log))?",
    "/home/root/\\.(config|local|cache)\\b.*",
    "/run/vnet(/0(/daemon\\.lock)?)?",
  ].join("|") + ") ",
);

/** Where a host keeps what programs write. */
const FOLDERS = ["/etc", "/run", "/var/lib", "/var/log", "/home", "/tmp"];

/** All of that, a line each, without what vnet may leave. */
export async function everything(host: Host): Promise<string[]> {
  return [
    ...(await filesBelow(host, ...FOLDERS)).filter((line) => !ITS_OWN.test(line)),
    ...(await networkOf(host)).split("\n"),
    ...await sysctlsOf(host),
  ];
}

/** The lines that only one of them has, marked as diff(1) does. */
export function difference(before: readonly string[], after: readonly string[]): string[] {
  const [old, fresh] = [new Set(before), new Set(after)];
  return [
    ...before.filter((line) => !fresh.has(line)).map((line) => `- ${line}`),
    ...after.filter((line) => !old.has(line)).map((line) => `+ ${line}`),
  ];
}
