/**
 * The text of `/etc/resolv.conf`: what resolvers read in it, who wrote it, and our version of it.
 *
 * @module
 * @see man 5 resolv.conf; glibc resolv/res_init.c, musl src/network/resolvconf.c
 */

import { formatIp, type IpAddress, parseIp } from "../../ip/mod.ts";

/** First line of a file we wrote. */
export const RESOLV_CONF_MAGIC = "# BEGIN vnet managed resolv.conf";

/** Resolvers look at no more nameservers than that (glibc MAXNS). */
export const MAX_NAMESERVERS = 3;

/** Bytes of the file beyond these are not looked at. */
const MAX_TEXT_LENGTH = 64 * 1024;

/** Words by which writers make themselves known in the comments on top. */
const OWNERS: readonly [word: string, owner: string][] = [
  ["systemd-resolved", "systemd-resolved"],
  ["NetworkManager", "NetworkManager"],
  ["resolvconf", "resolvconf"],
  ["connman", "connman"],
  ["dhcpcd", "dhcpcd"],
  ["dhclient", "dhclient"],
  ["netconfig", "netconfig"],
  ["tailscale", "tailscale"],
  ["kubelet", "kubelet"],
  ["docker", "docker"],
  ["netavark", "podman"],
  ["wsl", "wsl"],
];

/** What a resolver makes of the file. */
export interface ResolvConf {
  /** Who wrote it, from the comments on top: `"vnet"`, `"NetworkManager"`, …; `null` if nobody says. */
  readonly owner: string | null;
  /** At most three, as written, in order; a zone (`fe80::1%eth0`) is kept. */
  readonly nameservers: readonly string[];
  /** Those of them that are plain addresses. */
  readonly addresses: readonly IpAddress[];
  /** The last `search` or `domain` line wins. */
  readonly search: readonly string[];
  readonly options: readonly string[];
  /** Other lines with content, such as `sortlist`, as written. */
  readonly other: readonly string[];
}

/**
 * Reads the file as glibc and musl do; a mistake in it makes a line count for nothing, never an error.
 *
 * @example
 * ```ts
 * import { deepEqual } from "node:assert/strict";
 * import { parseResolvConf } from "./resolv_conf.ts";
 *
 * const file = parseResolvConf("nameserver 192.0.2.53\nsearch corp.example\n");
 * deepEqual(file.nameservers, ["192.0.2.53"]);
 * deepEqual(file.search, ["corp.example"]);
 * ```
 */
export function parseResolvConf(text: string): ResolvConf {
  const nameservers: string[] = [];
  const options: string[] = [];
  const other: string[] = [];
  let search: string[] = [];
  const lines = text.slice(0, MAX_TEXT_LENGTH).split(/\r?\n/);
  for (const line of lines) {
    const [keyword = "", ...words] = line.replace(/[#;].*$/, "").split(/[ \t]+/);
    const [first] = words;
    if (keyword === "nameserver" && first) nameservers.push(first);
    else if (keyword === "search") search = words.filter((word) => word !== "");
    else if (keyword === "domain") search = first ? [first] : [];
    else if (keyword === "options") options.push(...words.filter((word) => word !== ""));
    else if (keyword !== "") other.push(line.trimEnd());
  }
  const effective = nameservers.slice(0, MAX_NAMESERVERS);
  return {
    owner: ownerOf(lines),
    nameservers: effective,
    addresses: effective.map(readAddress).filter((address) => address !== null),
    search,
    options,
    other,
  };
}

/** What goes into our version of the file. */
export interface ResolvConfPlan {
  /** What was there before us. */
  readonly base: ResolvConf;
  /** Our server; resolv.conf knows no other port than 53. */
  readonly server: IpAddress;
  /**
   * Keep the old nameservers after ours, for when we are dead. Right for glibc, which asks in order;
   * wrong for musl, which asks all at once and takes the first answer.
   */
  readonly keepFallback: boolean;
  /** Search domains after those of `base`. */
  readonly search?: readonly string[];
  /** What readers are told of it; that the file comes back if not given. */
  readonly note?: string;
}

const COMES_BACK =
  "The file that was here comes back when vnet stops; after a crash, run: sudo vnet down";

/**
 * Writes our version of the file.
 *
 * `rotate` is dropped because it would ask the fallback servers first at times, `trust-ad` because we do
 * not vouch for DNSSEC.
 */
export function renderResolvConf(plan: ResolvConfPlan): string {
  const { base, server, keepFallback } = plan;
  const ours = formatIp(server);
  const fallback = keepFallback ? base.nameservers.filter((text) => !isSame(text, server)) : [];
  const search = [...new Set([...base.search, ...plan.search ?? []])];
  const options = base.options.filter((option) => option !== "rotate" && option !== "trust-ad");
  const lines = [
    RESOLV_CONF_MAGIC,
    `# ${plan.note ?? COMES_BACK}`,
    ...[...new Set([ours, ...fallback])].slice(0, MAX_NAMESERVERS).map((text) =>
      `nameserver ${text}`
    ),
    ...search.length > 0 ? [`search ${search.join(" ")}`] : [],
    ...options.length > 0 ? [`options ${options.join(" ")}`] : [],
    ...base.other,
  ];
  return lines.map((line) => `${line}\n`).join("");
}

function ownerOf(lines: readonly string[]): string | null {
  for (const line of lines) {
    if (line.trim() === "") continue;
    if (!/^[ \t]*[#;]/.test(line)) return null;
    if (line.startsWith(RESOLV_CONF_MAGIC)) return "vnet";
    const lower = line.toLowerCase();
    const found = OWNERS.find(([word]) => lower.includes(word.toLowerCase()));
    if (found !== undefined) return found[1];
  }
  return null;
}

function readAddress(text: string): IpAddress | null {
  try {
    return parseIp(text);
  } catch {
    return null;
  }
}

function isSame(text: string, server: IpAddress): boolean {
  const address = readAddress(text);
  return address !== null && formatIp(address) === formatIp(server);
}
