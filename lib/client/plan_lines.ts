/**
 * What bringing vnet up would do to this machine, line by line, with nothing done.
 *
 * @module
 */
import { compilePlan, type DnsMode } from "../config/mod.ts";
import { OsError, UsageError } from "../error.ts";
import { formatIp, formatPrefix, parseIp, parseIpv4Prefix, type Prefix } from "../ip/mod.ts";
import {
  claimedReverseZones,
  linkIndex,
  loadShim,
  previewOsDns,
  serverNeedsPort53,
  type Shim,
} from "../os/mod.ts";
import { AddressBook } from "./address_book.ts";
import { HttpClusterApi } from "./cluster_api.ts";
import type { Paths } from "./paths/mod.ts";
import { ProfileStore } from "./profile.ts";
import { RangePlaces } from "./range_places.ts";
import { loadViews } from "./saved_views.ts";
import { Session } from "./session.ts";

const REFRESH_MS = 8_000;
const LINK_MTU = 65_535;

/** What a person chose for `up`. */
export interface PlanSettings {
  readonly cidr: string | undefined;
  readonly dns: DnsMode;
  readonly link: string | undefined;
}

/** Reads `--cidr`. @throws UsageError when it is no private IPv4 range of at least 32 addresses. */
export function parseRange(text: string | undefined): Prefix | null {
  if (text === undefined) return null;
  try {
    const range = parseIpv4Prefix(text);
    if (range.length >= 8 && range.length <= 27) return range;
  } catch {
    // Told below, like a range of the wrong size.
  }
  throw new UsageError("usage", `Cannot take addresses from "${text}"`, {
    hint: "Use an IPv4 range from /8 to /27 without host bits, for example 100.96.0.0/12",
  });
}

/** Says what `up` would do with these settings; asks the clusters, touches nothing. */
export async function planLines(
  paths: Paths,
  settings: PlanSettings,
  journalDir: string,
): Promise<readonly string[]> {
  const range = parseRange(settings.cidr);
  const saved = await loadViews(paths.stateDir);
  const profiles = await new ProfileStore(paths.configDir).list();
  const sources = await Promise.all(profiles.map(async (profile) => {
    const api = new HttpClusterApi(profile);
    const session = new Session({ profile, api, nowMs: () => Date.now() });
    const known = saved.get(session.name);
    if (known !== undefined) session.restore(known);
    await session.refresh(0, AbortSignal.timeout(REFRESH_MS));
    session.close();
    return session.source;
  }));
  const known = sources.filter((source) => source !== null);
  const shim = loadShim();
  const book = await AddressBook.open(paths.stateDir, crypto.getRandomValues(new Uint8Array(21)));
  const plan = range === null
    ? new RangePlaces(shim, book).compile(known, null).plan
    : compilePlan(known, { range });
  const [first] = plan.ranges;
  if (first === undefined) return ["nothing: no cluster could be asked"];
  const { self4, self6, prefix6 } = book.linkAddresses(first);
  const link = settings.link ?? firstFreeLink(shim);
  const routes = [first, prefix6, ...plan.ranges.slice(1)];
  return [
    `tun add ${link}`,
    `link set ${link} mtu ${LINK_MTU} up`,
    `address add ${formatIp(self4)}/32 dev ${link}`,
    `address add ${formatIp(self6)}/128 dev ${link}`,
    ...routes.map((route) => `route add ${formatPrefix(route)} dev ${link}`),
    ...await dnsLines(
      { mode: settings.dns, link },
      [...plan.zones, ...claimedReverseZones(routes)],
      journalDir,
    ),
  ];
}

/** The name the kernel will choose. */
function firstFreeLink(shim: Shim): string {
  for (let n = 0;; n++) {
    if (!hasLink(shim, `vnet${n}`)) return `vnet${n}`;
  }
}

function hasLink(shim: Shim, name: string): boolean {
  try {
    linkIndex(shim, name);
    return true;
  } catch (thrown) {
    if (thrown instanceof OsError && thrown.errno === "ENODEV") return false;
    throw thrown;
  }
}

async function dnsLines(
  settings: { readonly mode: DnsMode; readonly link: string },
  zones: readonly string[],
  journalDir: string,
): Promise<readonly string[]> {
  const { steps } = await previewOsDns(settings.mode, (choice) => ({
    link: settings.link,
    ifindex: 0,
    server: serverNeedsPort53(choice.backend)
      ? { address: parseIp("127.0.53.1"), port: 53 }
      : { address: parseIp("127.0.0.1"), port: 5300 },
    zones,
    mode: settings.mode,
  }), { journalDir });
  return steps;
}
