import { deepEqual, equal, notDeepEqual, rejects } from "node:assert/strict";
import type { AppTarget, Plan } from "../../plan/mod.ts";
import { type DomainName, parseDomainName } from "../../dns/mod.ts";
import { VnetError } from "../../error.ts";
import { contains, formatIp, parsePrefix, type Prefix } from "../../ip/mod.ts";
import { AddressBook } from "./address_book.ts";

const RANGE = parsePrefix("100.64.0.0/10");
const RANDOM = Uint8Array.from({ length: 21 }, (_, index) => index);

function plan(names: readonly string[], range: Prefix = RANGE): Plan {
  const target: AppTarget = {
    kind: "tcp",
    profile: "p",
    cluster: "c",
    app: "a",
    appId: "0123456789abcdef",
    ports: null,
    httpHosts: null,
    range,
  };
  return {
    zones: [parseDomainName("example.test")],
    privateZones: new Set(),
    excluded: [],
    targets: new Map(names.map((name) => [parseDomainName(name), target])),
    ranges: [range],
    warnings: [],
  };
}

async function withDir(act: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await act(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

function texts(assigned: ReturnType<AddressBook["assign"]>): Record<string, string | null> {
  return Object.fromEntries(
    [...assigned].map(([name, given]) => [name, given === null ? null : formatIp(given.ipv4)]),
  );
}

Deno.test("AddressBook gives the same addresses after a restart", () =>
  withDir(async (dir) => {
    const names = ["a.example.test", "b.example.test"];
    const first = await AddressBook.open(dir, RANDOM);
    const before = first.assign(plan(names), 0);
    await first.save();
    const second = await AddressBook.open(dir, new Uint8Array(21));
    deepEqual(second.assign(plan(names.toReversed()), 1), new Map([...before].reverse()));
    equal(formatIp(second.prefix6.address), formatIp(first.prefix6.address));
  }));

Deno.test("AddressBook gives a removed name's address to nobody else at once", () =>
  withDir(async (dir) => {
    const book = await AddressBook.open(dir, RANDOM);
    const small = parsePrefix("10.9.0.0/27");
    const names = Array.from({ length: 40 }, (_, index) => `n${index}.example.test`);
    const [gone = ""] = names;
    const before = texts(book.assign(plan([gone], small), 0));
    const others = texts(book.assign(plan(names.slice(1), small), 1));
    equal(Object.values(others).includes(before[gone] ?? ""), false);
  }));

Deno.test("AddressBook says which names a full range has no address for", () =>
  withDir(async (dir) => {
    const book = await AddressBook.open(dir, RANDOM);
    const names = Array.from({ length: 40 }, (_, index) => `n${index}.example.test`);
    const assigned = book.assign(plan(names, parsePrefix("10.9.0.0/27")), 0);
    const given = [...assigned.values()].filter((addresses) => addresses !== null);
    equal(given.length < 32 && given.length > 20, true);
    equal(assigned.size, 40);
  }));

Deno.test("AddressBook link addresses lie in their ranges and are leased to no name", () =>
  withDir(async (dir) => {
    const book = await AddressBook.open(dir, RANDOM);
    const link = book.linkAddresses(RANGE);
    equal(contains(RANGE, link.self4) && contains(RANGE, link.peer4), true);
    equal(contains(link.prefix6, link.self6) && contains(link.prefix6, link.peer6), true);
    notDeepEqual(link.self4, link.peer4);
    const assigned = book.assign(plan(["a.example.test"]), 0);
    const name: DomainName = parseDomainName("a.example.test");
    notDeepEqual(assigned.get(name)?.ipv4, link.self4);
  }));

Deno.test("AddressBook.open() throws for a damaged book and keeps it", () =>
  withDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/leases.json`, "{ not json");
    await rejects(
      AddressBook.open(dir, RANDOM),
      (thrown) => thrown instanceof VnetError && thrown.code === "leases-damaged",
    );
    equal(await Deno.readTextFile(`${dir}/leases.json`), "{ not json");
  }));

Deno.test("AddressBook remembers where ranges lie, and forgets who went home", () =>
  withDir(async (dir) => {
    const [home, away, other] = ["100.64.0.0/10", "172.16.0.0/16", "10.7.0.0/16"];
    const first = await AddressBook.open(dir, RANDOM);
    first.remember(new Map([[home, parsePrefix(away)], [other, parsePrefix(other)]]));
    await first.save();
    const second = await AddressBook.open(dir, RANDOM);
    deepEqual([...second.places], [[home, parsePrefix(away)]]);
    second.remember(new Map([[other, parsePrefix("10.8.0.0/16")]]));
    deepEqual([...second.places.keys()].sort(), [other, home].sort());
    second.remember(new Map([[home, parsePrefix(home)]]));
    await second.save();
    const third = await AddressBook.open(dir, RANDOM);
    deepEqual([...third.places.keys()], [other]);
  }));

Deno.test("AddressBook gives the link's own addresses to no name, whichever range they lie in", () =>
  withDir(async (dir) => {
    const book = await AddressBook.open(dir, RANDOM);
    const { self4, peer4 } = book.linkAddresses(parsePrefix("10.9.0.8/29"));
    const names = Array.from({ length: 40 }, (_, index) => `n${index}.example.test`);
    const given = Object.values(texts(book.assign(plan(names, parsePrefix("10.9.0.0/27")), 0)));
    equal(given.includes("10.9.0.10") || given.includes("10.9.0.9"), false);
    deepEqual([formatIp(self4), formatIp(peer4)], ["10.9.0.9", "10.9.0.10"]);
  }));
