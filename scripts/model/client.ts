/**
 * The pure half of the client at work in a world, as the daemon drives it, and what must hold of it after every step.
 *
 * @module
 */
import { deepEqual, equal, ok } from "node:assert/strict";
import {
  type Book,
  compileState,
  destinationOf,
  firstState,
  leasesOf,
  newBook,
  noteRefusal,
  parseBook,
  renderBook,
  type State,
} from "../../lib/client/state/mod.ts";
import { judge, parseDomainName, questionOf, RR_TYPE } from "../../lib/dns/mod.ts";
import {
  contains,
  decodeIp,
  formatIp,
  formatPrefix,
  overlaps,
  parsePrefix,
  type Prefix,
} from "../../lib/ip/mod.ts";
import type { AppTarget } from "../../lib/plan/mod.ts";
import { type Answer, answerOf, expect, type Expected, wantedRange } from "./oracle.ts";
import { inputOf, NAMES, type World } from "./world.ts";

const DAY_MS = 86_400_000;
const REST_MS = 7 * DAY_MS;
const REMOVED_MS = 5 * 60_000;
const DENIED_MS = 10_000;
const OURS = parsePrefix("100.64.0.0/10");
/** Of the smallest range that there is: network, link, peer, DNS and broadcast are nobody's. */
const NOBODYS = 5;
const MAX_FINDINGS = 100;

/** Who had an address last, and since when it rests. */
interface Tenant {
  readonly name: string;
  readonly releasedMs: number | null;
}

/** What the checks remember from step to step. */
interface Before {
  readonly state: State;
  readonly expected: Expected;
  readonly merged: ReadonlyMap<string, string>;
}

/** One client in one world. */
export class ModelClient {
  readonly world: World;
  #state: State;
  #before: Before | null = null;
  #hasRestarted = false;
  /** By address. */
  readonly #tenants = new Map<string, Tenant>();
  readonly #removed = new Map<string, number>();
  readonly #denied = new Map<string, number>();
  /** How many questions were compared. */
  questions = 0;
  /** Of them those that an app's address answers. */
  answers = 0;

  constructor(world: World, random: Uint8Array) {
    this.world = world;
    this.#state = firstState(newBook(random));
  }

  /** Ends, and starts again from what is on disk. */
  restart(): void {
    const book: Book = parseBook(renderBook(this.#state.book));
    equal(renderBook(book), renderBook(this.#state.book));
    this.#state = firstState(book);
    this.#removed.clear();
    this.#denied.clear();
    this.#hasRestarted = true;
  }

  /** A cluster refuses a connection to an app. */
  refuse(appId: string): void {
    const { nowMs } = this.world;
    const troubles = noteRefusal(this.#state.troubles, appId, "access-denied", nowMs);
    this.#state = { ...this.#state, troubles };
    const untilMs = this.#denied.get(appId) ?? -Infinity;
    if (untilMs - nowMs <= DENIED_MS / 2) this.#denied.set(appId, nowMs + DENIED_MS);
  }

  /** Compiles the state that follows, and checks everything. */
  step(): void {
    const { world } = this;
    const input = inputOf(world);
    this.#state = compileState(this.#state, input);
    const again = compileState(this.#state, input);
    equal(renderBook(again.book), renderBook(this.#state.book), "compiling again changes nothing");
    const expected = expect(world);
    this.#followTroubles(expected);
    this.#checkOwners(expected);
    this.#checkRanges();
    this.#checkLeases();
    this.#checkSurvivors(expected);
    this.#checkAnswers(expected);
    this.#checkBounds();
    this.#before = { state: this.#state, expected, merged: mergedRanges(world) };
    this.#hasRestarted = false;
  }

  #followTroubles({ owners }: Expected): void {
    const { nowMs } = this.world;
    for (const name of this.#hasRestarted ? [] : this.#before?.expected.owners.keys() ?? []) {
      if (!owners.has(name)) this.#removed.set(name, nowMs + REMOVED_MS);
    }
    for (const [name, untilMs] of this.#removed) {
      if (owners.has(name) || untilMs <= nowMs) this.#removed.delete(name);
    }
    for (const [id, untilMs] of this.#denied) if (untilMs <= nowMs) this.#denied.delete(id);
  }

  #checkOwners({ owners, served }: Expected): void {
    const zones = [...new Set(served.map(({ zone }) => zone))].sort();
    deepEqual(this.#state.plan.zones, zones, "the zones");
    const got = [...this.#state.plan.targets].map(([name, target]) =>
      `${name} ${target.profile} ${target.cluster} ${target.appId}`
    );
    const want = [...owners].map(([name, { profile, cluster, appId }]) =>
      `${name} ${profile} ${cluster} ${appId}`
    );
    deepEqual(got, want.sort(), "whose the names are");
  }

  #checkRanges(): void {
    const { plan } = this.#state;
    const granted = [OURS, ...(this.world.granted ?? []).map(parsePrefix)];
    const isNew = (range: Prefix) =>
      !(this.#hasRestarted ? [] : this.#before?.state.plan.ranges ?? [])
        .some((one) => formatPrefix(one) === formatPrefix(range));
    plan.ranges.forEach((range, n) => {
      const text = formatPrefix(range);
      ok(granted.some((space) => holds(space, range)), `${text} lies where root allows it`);
      for (const other of plan.ranges.slice(n + 1)) {
        ok(!overlaps(range, other), `${text} and ${formatPrefix(other)} overlap`);
      }
      if (!isNew(range)) return;
      for (const foreign of this.world.foreign) {
        ok(!overlaps(parsePrefix(foreign), range), `${text} is another's: ${foreign}`);
      }
    });
  }

  #checkLeases(): void {
    const { plan, names, link } = this.#state;
    const { nowMs } = this.world;
    const leases = leasesOf(this.#state).map(formatIp);
    equal(new Set(leases).size, leases.length, "no address twice");
    const held = new Map<string, string>();
    for (const [name, target] of plan.targets) {
      const given = names?.addresses.get(name) ?? null;
      if (given === null) {
        this.#checkFull(formatPrefix(target.range));
        continue;
      }
      const text = formatIp(given.ipv4);
      held.set(text, name);
      ok(contains(target.range, given.ipv4), `${text} of ${name} lies in its range`);
      ok(link !== null && given.ipv4.value !== link.self4.value, "not the link's own");
      ok(given.ipv4.value !== link?.peer4.value, "not the peer's");
      const tenant = this.#tenants.get(text);
      if (tenant !== undefined && tenant.name !== name) {
        ok(
          tenant.releasedMs !== null && nowMs - tenant.releasedMs >= REST_MS,
          `${text} was ${tenant.name}'s, and goes to ${name} too soon`,
        );
      }
      for (const address of [given.ipv4, given.ipv6]) {
        const to = names === null ? null : destinationOf(names, address);
        deepEqual([to?.name, to?.target.appId], [name, target.appId], "where an address leads");
      }
    }
    for (const [text, tenant] of this.#tenants) {
      if (tenant.releasedMs === null && !held.has(text)) {
        this.#tenants.set(text, { ...tenant, releasedMs: nowMs });
      }
    }
    for (const [text, name] of held) this.#tenants.set(text, { name, releasedMs: null });
  }

  /** A name may go without an address only where there is none. */
  #checkFull(range: string): void {
    const records = this.#state.book.records.get(range) ?? [];
    const taken = records.filter(({ releasedMs }) =>
      releasedMs === null || this.world.nowMs - releasedMs < REST_MS
    );
    const size = 2 ** (32 - parsePrefix(range).length);
    ok(taken.length >= size - NOBODYS - 2, `${range} has room: ${taken.length} of ${size}`);
  }

  #checkSurvivors({ owners }: Expected): void {
    const before = this.#before;
    if (before === null) return;
    const merged = mergedRanges(this.world);
    const { link } = before.state;
    if (link !== null && !this.#hasRestarted) {
      equal(this.#state.link && formatIp(this.#state.link.self4), formatIp(link.self4), "the link");
    }
    for (const [name, old] of before.state.names?.addresses ?? []) {
      const owner = owners.get(name);
      const oldOwner = before.expected.owners.get(name);
      const target: AppTarget | undefined = before.state.plan.targets.get(name);
      if (owner === undefined || oldOwner === undefined || target === undefined || old === null) {
        continue;
      }
      const given = this.#state.names?.addresses.get(name) ?? null;
      if (given !== null && given.ipv4.value === old.ipv4.value) {
        equal(formatIp(given.ipv6), formatIp(old.ipv6));
        continue;
      }
      const range = this.#state.plan.targets.get(name)?.range;
      const couldStay: boolean = range !== undefined && given !== null && contains(range, old.ipv4);
      equal(couldStay, false, `${name} could keep ${formatIp(old.ipv4)}`);
      const isRangeChanged: boolean = merged.get(`${owner.profile} ${owner.cluster}`) !==
        before.merged.get(`${oldOwner.profile} ${oldOwner.cluster}`);
      const isInTheWay: boolean = this.#hasRestarted && (
        this.world.foreign.some((foreign) => overlaps(parsePrefix(foreign), target.range)) ||
        ![OURS, ...(this.world.granted ?? []).map(parsePrefix)]
          .some((space) => holds(space, target.range))
      );
      ok(
        isRangeChanged || isInTheWay,
        `${name} was ${formatIp(old.ipv4)} and is ${given && formatIp(given.ipv4)}`,
      );
    }
  }

  #checkAnswers(expected: Expected): void {
    const table = this.#state.names?.table;
    if (table === undefined) return;
    for (const name of NAMES) {
      const want = answerOf(name, this.world, expected, this.#removed);
      const usable = this.#isUsable(want);
      const given = this.#state.names?.addresses.get(parseDomainName(name)) ?? null;
      for (const type of ["A", "AAAA", "TXT"] as const) {
        this.questions++;
        const verdict = judge(questionOf(name, RR_TYPE[type]), table);
        const said =
          `${name} ${type}: ${verdict.kind} by ${verdict.rule}, and the model: ${want.kind}`;
        if (want.kind !== "app") {
          equal(verdict.kind, want.kind === "removed" ? "nx-domain" : want.kind, said);
        } else if (!usable || given === null) equal(verdict.kind, "refuse", said);
        else if (type === "TXT" || type === "AAAA" && !this.world.hasIpv6) {
          equal(verdict.kind, "no-data", said);
        } else {
          const address = type === "A" ? given.ipv4 : given.ipv6;
          const answers = verdict.kind === "answer" ? verdict.answers : [];
          deepEqual(
            answers.map(({ rdata }) => formatIp(decodeIp(rdata) ?? address)),
            [formatIp(address)],
            said,
          );
          equal(verdict.kind, "answer", said);
          this.answers++;
        }
      }
    }
  }

  #isUsable(want: Answer): boolean {
    return want.kind === "app" && want.isUsable && !this.#denied.has(want.owner.appId);
  }

  #checkBounds(): void {
    const { plan, book, findings, troubles } = this.#state;
    ok(plan.warnings.length + findings.length <= MAX_FINDINGS, "warnings");
    ok(plan.zones.length <= 180 && plan.ranges.length <= 16, "zones and ranges");
    ok(book.records.size <= plan.ranges.length + 8, `${book.records.size} ranges in the book`);
    ok(book.places.size <= plan.ranges.length + 8, `${book.places.size} places in the book`);
    ok(troubles.removed.size <= 1024 && troubles.denied.size <= 1024, "troubles");
  }
}

/** Of clusters whose ranges overlap the first has its own, and the others share it; the plan warns of that. */
function mergedRanges(world: World): ReadonlyMap<string, string> {
  const ranges: string[] = [];
  const merged = new Map<string, string>();
  for (const login of world.logins.toSorted((a, b) => a.profile < b.profile ? -1 : 1)) {
    if (!login.isIn || !login.isSeen) continue;
    for (const cluster of [login.root, ...(login.hasLeaf ? [login.leaf] : [])]) {
      const wanted = wantedRange(cluster.range, login.profile, world);
      const found = ranges.find((range) => overlaps(parsePrefix(range), parsePrefix(wanted)));
      if (found === undefined) ranges.push(wanted);
      merged.set(`${login.profile} ${cluster.name}`, found ?? wanted);
    }
  }
  return merged;
}

function holds(space: Prefix, range: Prefix): boolean {
  return space.length <= range.length && overlaps(space, range);
}
