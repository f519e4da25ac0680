import { deepEqual, equal, notEqual } from "node:assert/strict";
import { judge, parseDomainName, questionOf, RR_TYPE } from "../../dns/mod.ts";
import { formatIp, formatPrefix, parsePrefix, type Prefix } from "../../ip/mod.ts";
import type { AppView, PlanSource } from "../../plan/mod.ts";
import { BOOK_RANDOM_BYTES, newBook } from "./book.ts";
import { compileState, firstState, leasesOf, type State, type StateInput } from "./state.ts";

const RANDOM = Uint8Array.from({ length: BOOK_RANDOM_BYTES }, (_, index) => index);
const MINUTE_MS = 60_000;
const LOGIN = {
  name: "prod.test",
  cluster: "prod.test",
  user: "alice",
  isOver: false,
  expiresMs: 100 * MINUTE_MS,
};

function appView(name: string): AppView {
  return {
    kind: "tcp",
    name,
    cluster: "prod.test",
    id: `id-${name}`,
    publicAddrs: [`${name}.prod.test`],
    description: null,
    labels: {},
    ports: null,
  };
}

function source(apps: readonly string[], range = "100.64.0.0/10"): PlanSource {
  const root = { name: "prod.test", proxyHosts: ["prod.test"], range, zones: [] };
  return {
    profile: "prod.test",
    proxyHost: "prod.test",
    view: { root, leaves: [], apps: apps.map(appView) },
  };
}

function input(apps: readonly string[], rest: Partial<StateInput> = {}): StateInput {
  return {
    sources: [source(apps)],
    logins: [LOGIN],
    range: null,
    machine: { foreign: [], hasIpv6: true, allDns: false },
    nowMs: 0,
    ...rest,
  };
}

const NOTHING = firstState(newBook(RANDOM));

function addressOf(state: State, name: string): string | null {
  const given = state.names?.addresses.get(parseDomainName(name)) ?? null;
  return given && formatIp(given.ipv4);
}

function verdictOf(state: State, name: string): string {
  if (state.names === null) return "nothing";
  const verdict = judge(questionOf(name, RR_TYPE.A), state.names.table);
  return `${verdict.kind} ${verdict.rule}`;
}

Deno.test("compileState() keeps the addresses of surviving names, whatever else changes", () => {
  const one = compileState(NOTHING, input(["db", "web"]));
  const two = compileState(one, input(["api", "web"]));
  equal(addressOf(two, "web.prod.test"), addressOf(one, "web.prod.test"));
  notEqual(addressOf(two, "api.prod.test"), addressOf(one, "db.prod.test"));
  equal(leasesOf(two).length, 2);
  deepEqual(two.link, one.link);
});

Deno.test("compileState() changes nothing of the state before", () => {
  const one = compileState(NOTHING, input(["db"]));
  const before = structuredClone({ ...one.book, plan: [...one.plan.targets] });
  compileState(one, input(["web"], { nowMs: MINUTE_MS }));
  deepEqual(structuredClone({ ...one.book, plan: [...one.plan.targets] }), before);
});

Deno.test("compileState() is the same for the same input", () => {
  const [a, b] = [0, 1].map(() => compileState(NOTHING, input(["db", "web"])));
  deepEqual(a, b);
});

Deno.test("compileState() says in DNS what became of a name, for a while", () => {
  let state = compileState(NOTHING, input(["db"]));
  equal(verdictOf(state, "db.prod.test"), "answer app-address");
  state = compileState(state, input([], { nowMs: MINUTE_MS }));
  equal(verdictOf(state, "db.prod.test"), "nx-domain app-trouble");
  equal(state.nextMs, 6 * MINUTE_MS);
  state = compileState(state, input([], { nowMs: 6 * MINUTE_MS }));
  equal(verdictOf(state, "db.prod.test"), "forward zone-unknown");
});

Deno.test("compileState() refuses the names of a login that is over, and wakes when one ends", () => {
  const running = compileState(NOTHING, input(["db"]));
  equal(running.nextMs, LOGIN.expiresMs - 10 * MINUTE_MS);
  const over = compileState(running, input(["db"], { logins: [{ ...LOGIN, isOver: true }] }));
  equal(verdictOf(over, "db.prod.test"), "refuse app-trouble");
  equal(over.nextMs, null);
});

Deno.test("compileState() warns of a login that ends, minute by minute", () => {
  const { expiresMs } = LOGIN;
  const at = (leftMs: number) => {
    const { findings, nextMs } = compileState(
      NOTHING,
      input(["db"], { nowMs: expiresMs - leftMs }),
    );
    return [findings.map(({ message }) => message).join(), (nextMs ?? 0) - expiresMs];
  };
  const text = (minutes: string) => `The login to prod.test ends in ${minutes}`;
  deepEqual(at(10 * MINUTE_MS + 1), ["", -10 * MINUTE_MS]);
  deepEqual(at(10 * MINUTE_MS), [text("10 minutes"), -9 * MINUTE_MS]);
  deepEqual(at(MINUTE_MS), [text("1 minute"), 0]);
  deepEqual(at(1), [text("1 minute"), 0]);
});

Deno.test("compileState() moves a range that others use, says so, and keeps it there", () => {
  const foreign: readonly Prefix[] = [parsePrefix("100.64.0.0/11")];
  const moved = compileState(
    NOTHING,
    input(["db"], { machine: { foreign, hasIpv6: true, allDns: false } }),
  );
  const [range] = moved.plan.ranges;
  notEqual(range && formatPrefix(range), "100.64.0.0/10");
  deepEqual(moved.findings.map(({ code }) => code), ["range-moved"]);
  const later = compileState(moved, input(["db"]));
  deepEqual(later.plan.ranges, moved.plan.ranges);
  equal(addressOf(later, "db.prod.test"), addressOf(moved, "db.prod.test"));
});

Deno.test("compileState() leaves a range at home that its cluster made wider", () => {
  const small = compileState(
    NOTHING,
    input(["db"], { sources: [source(["db"], "100.64.0.0/16")] }),
  );
  const wide = compileState(small, input(["db"], { sources: [source(["db"], "100.64.0.0/10")] }));
  deepEqual(wide.plan.ranges.map(formatPrefix), ["100.64.0.0/10"]);
  deepEqual(wide.findings, []);
});

Deno.test("compileState() takes the range that the user chose, and says when it is full", () => {
  const apps = Array.from({ length: 40 }, (_, index) => `n${index}`);
  const range = parsePrefix("10.9.0.0/27");
  const state = compileState(NOTHING, input(apps, { range }));
  deepEqual(state.plan.ranges, [range]);
  deepEqual(state.findings.map(({ code }) => code), ["range-full"]);
  equal(leasesOf(state).length < 32, true);
});

Deno.test("compileState() has neither link nor names while nothing is known", () => {
  const state = compileState(NOTHING, input([], { sources: [] }));
  deepEqual([state.link, state.names, leasesOf(state)], [null, null, []]);
});

Deno.test("compileState() gives no AAAA where the machine has no IPv6", () => {
  const machine = { foreign: [], hasIpv6: false, allDns: false };
  const { names } = compileState(NOTHING, input(["db"], { machine }));
  const verdict = names && judge(questionOf("db.prod.test", RR_TYPE.AAAA), names.table);
  equal(verdict?.kind, "no-data");
});
