/**
 * Whether a range may be led into a client's link. Whoever asks may be anybody's program in the client's name: what
 * it takes, it can serve, and what somebody else talks to there, it breaks. So it gets nothing that is in use, and
 * private space only where root says so. Pure.
 *
 * @module
 * @see RFC 6598 (100.64.0.0/10), RFC 4193 (unique local IPv6 addresses)
 */
import { hasRangeSize } from "../config/mod.ts";
import { VnetError } from "../error.ts";
import {
  CGNAT,
  contains,
  formatIp,
  formatPrefix,
  isPrivatePrefix,
  overlaps,
  parsePrefix,
  type Prefix,
  prefixOf,
} from "../ip/mod.ts";
import type { Occupant } from "../os/mod.ts";

/** What the machine was seen to have at the moment of asking. */
export interface Seen {
  /** What others than the client's own link have routes to, or addresses in. */
  readonly foreign: readonly Prefix[];
  readonly occupants: readonly Occupant[];
  /** What leads into the client's link already: what is in use there is in use through it. */
  readonly own: readonly Prefix[];
}

/** Where the ULA prefixes of vnets lie: those that anybody may make up by chance. */
const CHOSEN_ULA = parsePrefix("fd00::/8");
const ULA_LENGTH = 64;
/** One network's share of unique local addresses: its other subnets are no more free than the one seen. */
const SITE_LENGTH = 48;

const WHAT: Readonly<Record<Occupant["kind"], string>> = {
  gateway: "a gateway of this machine has the address",
  nameserver: "a nameserver of this machine has the address",
  connection: "a program of this machine is connected by",
};

/**
 * Judges a range.
 *
 * @param allowed What root lets clients have beside 100.64.0.0/10.
 * @returns Why not: VnetError `range-refused`, `range-forbidden`, `range-conflict` or `range-in-use`; `null` if it may.
 */
export function judgeRange(
  wanted: Prefix,
  allowed: readonly Prefix[],
  seen: Seen,
): VnetError | null {
  return judgeKind(wanted) ?? judgeAllowed(wanted, allowed) ?? judgeForeign(wanted, seen) ??
    judgeOccupants(wanted, seen);
}

function judgeKind(wanted: Prefix): VnetError | null {
  const { address, length } = wanted;
  const fits = address.family === 4 ? hasRangeSize(wanted) : length === ULA_LENGTH;
  if (fits && isPrivatePrefix(wanted)) return null;
  const state = fits ? "it is public address space" : "it has another size than vnet's";
  return new VnetError("range-refused", `${cannotUse(wanted)}: ${state}`, {
    hint: "Use a range inside 100.64.0.0/10, or one that root allows",
  });
}

function judgeAllowed(wanted: Prefix, allowed: readonly Prefix[]): VnetError | null {
  const spaces = [CGNAT, CHOSEN_ULA, ...allowed];
  if (spaces.some((space) => holds(space, wanted))) return null;
  const text = formatPrefix(wanted);
  return new VnetError(
    "range-forbidden",
    `${cannotUse(wanted)}: other networks may use it, and root does not allow it`,
    {
      hint:
        `If no network of yours uses it, run \`sudo vnet restart --cidr ${text}\`, or have root add it to \`ranges\` in /etc/vnet/helper.yaml`,
    },
  );
}

function judgeForeign(wanted: Prefix, { foreign }: Seen): VnetError | null {
  const reach = reachOf(wanted);
  const obstacle = foreign.find((prefix) => overlaps(reach, prefix));
  if (obstacle === undefined) return null;
  const state = `this machine has a route or address in it already, ${formatPrefix(obstacle)}`;
  return new VnetError("range-conflict", `${cannotUse(wanted)}: ${state}`, { hint: OTHER_RANGE });
}

function judgeOccupants(wanted: Prefix, { occupants, own }: Seen): VnetError | null {
  const reach = reachOf(wanted);
  const found = occupants.find(({ address }) =>
    contains(reach, address) && !own.some((prefix) => contains(prefix, address))
  );
  if (found === undefined) return null;
  const state = `${WHAT[found.kind]} ${formatIp(found.address)}`;
  return new VnetError("range-in-use", `${cannotUse(wanted)}: ${state}`, { hint: OTHER_RANGE });
}

/** What must be free for a prefix to be. */
function reachOf(wanted: Prefix): Prefix {
  return wanted.address.family === 6 ? prefixOf(wanted.address, SITE_LENGTH) : wanted;
}

const OTHER_RANGE =
  "Omit --cidr: vnet then looks for a free range; if none is left, name one that no network of yours uses: `sudo vnet up --cidr RANGE`";

function cannotUse(wanted: Prefix): string {
  return `Cannot use ${formatPrefix(wanted)}`;
}

function holds(space: Prefix, wanted: Prefix): boolean {
  return space.length <= wanted.length && overlaps(space, wanted);
}
