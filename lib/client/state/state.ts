/**
 * From what the clusters publish, what the user wishes and what the machine has to one immutable state: the plan, its
 * addresses, its names, and what there is to say. Nothing is touched; whoever applies it does so afterwards.
 *
 * @module
 */
import type { DomainName, Trouble } from "../../dns/mod.ts";
import { contains, formatPrefix, type Ipv4, type Prefix } from "../../ip/mod.ts";
import {
  compilePlan,
  NO_CONSENT,
  NOTHING_SAID,
  type Plan,
  type PlanSource,
  type RangeConsent,
  type ZoneKnowledge,
} from "../../plan/mod.ts";
import {
  assignAddresses,
  type Book,
  type LinkAddresses,
  linkAddresses,
  type NameAddresses,
  rememberPlaces,
} from "./book.ts";
import type { StateFinding } from "./finding.ts";
import { loginCommand } from "./login_command.ts";
import { compileNames, type Names, type NamesOptions } from "./names.ts";
import { describeMoves, placePlan } from "./places.ts";
import {
  followTroubles,
  lockedOut,
  loggedOut,
  nextEnd,
  NO_TROUBLES,
  type Troubles,
} from "./troubles.ts";

const MINUTE_MS = 60_000;
/** So long before its end a login is warned of. */
const WARNED_MINUTES = 10;

/** What a state is compiled from, beside the state before. */
export interface StateInput {
  readonly sources: readonly PlanSource[];
  readonly logins: readonly LoginFacts[];
  /** The range that the user chose instead of the clusters'; `null` for none. */
  readonly range: Prefix | null;
  /** What is known about whose zones are; nothing if not given. */
  readonly zones?: ZoneKnowledge;
  /** What was said about ranges of private networks; nothing if not given. */
  readonly consent?: RangeConsent;
  readonly machine: MachineFacts;
  readonly nowMs: number;
}

/** How one login stands. */
export interface LoginFacts {
  /** The profile's name. */
  readonly name: string;
  readonly cluster: string;
  readonly user: string;
  readonly isOver: boolean;
  /** Whether it is over because an administrator locked it. */
  readonly isLocked?: boolean;
  readonly expiresMs: number;
}

/** What the state depends on of the machine. */
export interface MachineFacts {
  /** What others route or own; `null` when nobody looked: ranges then lie where they lay last. */
  readonly foreign: readonly Prefix[] | null;
  readonly hasIpv6: boolean;
  /** Whether all of the machine's DNS passes through us. */
  readonly allDns: boolean;
}

/** Everything that this machine answers for at one moment. */
export interface State {
  readonly plan: Plan;
  readonly book: Book;
  /** Where ranges lie, by the text of the one they stand for. */
  readonly places: ReadonlyMap<string, Prefix>;
  readonly troubles: Troubles;
  /** The range and addresses of the link, and the names; `null` while nothing is known of any cluster. */
  readonly link: (LinkAddresses & { readonly range: Prefix }) | null;
  readonly names: Names | null;
  /** What the names were compiled from. */
  readonly naming: NamesOptions | null;
  readonly findings: readonly StateFinding[];
  /** When the state must be compiled anew though nothing happened; `null` for never. */
  readonly nextMs: number | null;
}

/** Nothing is known yet. */
export function firstState(book: Book): State {
  return {
    plan: compilePlan([], { range: null }),
    book,
    places: new Map(),
    troubles: NO_TROUBLES,
    link: null,
    names: null,
    naming: null,
    findings: [],
    nextMs: null,
  };
}

/** Compiles the state that follows on another. The link keeps its addresses for life, and a name its own. */
export function compileState(before: State, input: StateInput): State {
  const { logins, machine, nowMs } = input;
  const { plan, places, moved } = place(before, input);
  const ending = endingLogins(logins, nowMs);
  const placed = rememberPlaces(before.book, places);
  const troubles = followTroubles(before.troubles, before.plan, plan, nowMs);
  const rest = { plan, places, troubles, nextMs: soonest(troubles, logins, nowMs) };
  const range = before.link?.range ?? plan.ranges[0];
  if (range === undefined) {
    return {
      ...rest,
      book: placed,
      link: null,
      names: null,
      naming: null,
      findings: [...moved, ...ending],
    };
  }
  const link = { ...linkAddresses(placed, range), range };
  const { addresses, book } = assignAddresses(placed, plan, link, nowMs);
  const naming = {
    plan,
    addresses,
    link,
    ipv6: machine.hasIpv6,
    allDns: machine.allDns,
    troubles,
    profiles: new Map(logins.filter(({ isOver }) => isOver).map(overLogin)),
  };
  const findings = [...moved, ...ending, ...fullRanges(plan, addresses)];
  return { ...rest, book, link, names: compileNames(naming), naming, findings };
}

/** The names of a state as they are while only these ranges can be reached: those in others have no address. */
export function namesWithin({ naming }: State, ranges: readonly Prefix[]): Names | null {
  if (naming === null) return null;
  const isReached = (given: NameAddresses) => ranges.some((range) => contains(range, given.ipv4));
  const addresses = new Map(
    [...naming.addresses].map(([name, given]) => [name, given && isReached(given) ? given : null]),
  );
  return compileNames({ ...naming, addresses });
}

/** The addresses that have an app behind them. */
export function leasesOf(state: State): readonly Ipv4[] {
  return [...state.names?.addresses.values() ?? []].flatMap((given) => given?.ipv4 ?? []);
}

/** A range that the user chose lies where they said, or nowhere. */
function place(
  before: State,
  { sources, range, machine, zones = NOTHING_SAID, consent = NO_CONSENT }: StateInput,
): {
  readonly plan: Plan;
  readonly places: ReadonlyMap<string, Prefix>;
  readonly moved: readonly StateFinding[];
} {
  if (range !== null) {
    return { plan: compilePlan(sources, { range, zones }), places: new Map(), moved: [] };
  }
  const { places: remembered } = before.book;
  if (machine.foreign === null) {
    const plan = compilePlan(sources, { range: null, zones, consent, places: remembered });
    return { plan, places: before.places, moved: [] };
  }
  const placed = placePlan({
    sources,
    zones,
    consent,
    inUse: before.places,
    remembered,
    foreign: machine.foreign,
  });
  const finding = describeMoves(placed.moves);
  return {
    plan: placed.plan,
    places: placed.places,
    moved: finding === null ? [] : [finding],
  };
}

function overLogin(
  { name, cluster, isLocked }: LoginFacts,
): [profile: string, trouble: Trouble] {
  return [name, isLocked === true ? lockedOut() : loggedOut(cluster, name)];
}

/** When something is to be said that was not yet, or no more. */
function soonest(troubles: Troubles, logins: readonly LoginFacts[], nowMs: number): number | null {
  const ends = logins.filter(({ isOver }) => !isOver)
    .map(({ expiresMs }) => expiresMs - minutesLeft(expiresMs - nowMs - 1) * MINUTE_MS);
  const end = nextEnd(troubles);
  if (end !== null) ends.push(end);
  return ends.length === 0 ? null : Math.min(...ends);
}

/** @returns One finding, whichever logins end soon; none if none does. */
function endingLogins(logins: readonly LoginFacts[], nowMs: number): readonly StateFinding[] {
  const soon = logins.filter(({ isOver, expiresMs }) =>
    !isOver && expiresMs > nowMs && expiresMs - nowMs <= WARNED_MINUTES * MINUTE_MS
  );
  if (soon.length === 0) return [];
  const parts = soon.map(({ name, expiresMs }) => {
    const minutes = Math.max(1, Math.round((expiresMs - nowMs) / MINUTE_MS));
    return `to ${name} ends in ${minutes} minute${minutes === 1 ? "" : "s"}`;
  });
  const commands = soon.map(({ name, user }) => `\`${loginCommand({ proxy: name, user })}\``);
  return [{
    code: "login-ends",
    message: `The login ${parts.join(", that ")}`,
    hint: `Run ${commands.join(" and ")}: connections that run go on`,
  }];
}

/** Of what is warned of, so many whole minutes are still to come; 0 at the very end, and before it is warned. */
function minutesLeft(leftMs: number): number {
  if (leftMs <= 0) return 0;
  return Math.min(WARNED_MINUTES, Math.floor(leftMs / MINUTE_MS));
}

/** @returns One finding, whichever ranges are full; none if there is room in all. */
function fullRanges(
  plan: Plan,
  addresses: ReadonlyMap<DomainName, NameAddresses | null>,
): readonly StateFinding[] {
  const without = [...plan.targets].filter(([name]) => addresses.get(name) == null);
  const ranges = [...new Set(without.map(([, { range }]) => formatPrefix(range)))];
  if (ranges.length === 0) return [];
  const which = ranges.length === 1 ? `the range ${ranges[0]} is` : `${ranges.join(", ")} are`;
  return [{
    code: "range-full",
    message: `${without.length} names have no address: ${which} full`,
    hint: "Ask an administrator for a larger ipv4_cidr_range, or pass --cidr to `vnet up`",
  }];
}
