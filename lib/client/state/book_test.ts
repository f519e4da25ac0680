import { deepEqual, equal, notDeepEqual, throws } from "node:assert/strict";
import type { AppTarget, Plan } from "../../plan/mod.ts";
import { type DomainName, parseDomainName } from "../../dns/mod.ts";
import { contains, formatIp, parsePrefix, type Prefix } from "../../ip/mod.ts";
import {
  assignAddresses,
  type Assignment,
  type Book,
  linkAddresses,
  newBook,
  parseBook,
  rememberPlaces,
  renderBook,
} from "./book.ts";

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
    standings: [],
    grants: new Map(),
    refusedNames: [],
  };
}

function assign(book: Book, planned: Plan, nowMs: number, link = RANGE): Assignment {
  return assignAddresses(book, planned, linkAddresses(book, link), nowMs);
}

function texts({ addresses }: Assignment): Record<string, string | null> {
  return Object.fromEntries(
    [...addresses].map(([name, given]) => [name, given === null ? null : formatIp(given.ipv4)]),
  );
}

Deno.test("assignAddresses() gives the same addresses after a restart", () => {
  const names = ["a.example.test", "b.example.test"];
  const first = assign(newBook(RANDOM), plan(names), 0);
  const read = parseBook(renderBook(first.book));
  const second = assign(read, plan(names.toReversed()), 1);
  deepEqual(second.addresses, new Map([...first.addresses].reverse()));
  equal(formatIp(read.prefix6.address), formatIp(first.book.prefix6.address));
});

Deno.test("assignAddresses() leaves the book that it was given as it was", () => {
  const book = newBook(RANDOM);
  const before = renderBook(book);
  const { book: next } = assign(book, plan(["a.example.test"]), 0);
  equal(renderBook(book), before);
  notDeepEqual(renderBook(next), before);
});

Deno.test("assignAddresses() gives a removed name's address to nobody else at once", () => {
  const small = parsePrefix("10.9.0.0/27");
  const names = Array.from({ length: 40 }, (_, index) => `n${index}.example.test`);
  const [gone = ""] = names;
  const first = assign(newBook(RANDOM), plan([gone], small), 0);
  const others = texts(assign(first.book, plan(names.slice(1), small), 1));
  equal(Object.values(others).includes(texts(first)[gone] ?? ""), false);
});

Deno.test("assignAddresses() says which names a full range has no address for", () => {
  const names = Array.from({ length: 40 }, (_, index) => `n${index}.example.test`);
  const { addresses } = assign(newBook(RANDOM), plan(names, parsePrefix("10.9.0.0/27")), 0);
  const given = [...addresses.values()].filter((one) => one !== null);
  equal(given.length < 32 && given.length > 20, true);
  equal(addresses.size, 40);
});

Deno.test("linkAddresses() lie in their ranges and are leased to no name", () => {
  const book = newBook(RANDOM);
  const link = linkAddresses(book, RANGE);
  equal(contains(RANGE, link.self4) && contains(RANGE, link.peer4), true);
  equal(contains(link.prefix6, link.self6) && contains(link.prefix6, link.peer6), true);
  notDeepEqual(link.self4, link.peer4);
  const { addresses } = assign(book, plan(["a.example.test"]), 0);
  const name: DomainName = parseDomainName("a.example.test");
  notDeepEqual(addresses.get(name)?.ipv4, link.self4);
});

Deno.test("assignAddresses() gives the link's own addresses to no name, whichever range they lie in", () => {
  const book = newBook(RANDOM);
  const link = parsePrefix("10.9.0.8/29");
  const names = Array.from({ length: 40 }, (_, index) => `n${index}.example.test`);
  const given = Object.values(
    texts(assign(book, plan(names, parsePrefix("10.9.0.0/27")), 0, link)),
  );
  equal(given.includes("10.9.0.10") || given.includes("10.9.0.9"), false);
  const { self4, peer4 } = linkAddresses(book, link);
  deepEqual([formatIp(self4), formatIp(peer4)], ["10.9.0.9", "10.9.0.10"]);
});

Deno.test("parseBook() throws for what is no book", () => {
  for (const text of ["", "{ not json", "{}", `{"schema":"vnet.leases/1"}`]) {
    throws(() => parseBook(text), text);
  }
});

Deno.test("rememberPlaces() notes where ranges lie, and forgets who went home", () => {
  const [home, away, other] = ["100.64.0.0/10", "172.16.0.0/16", "10.7.0.0/16"];
  const places = new Map([[home, parsePrefix(away)], [other, parsePrefix(other)]]);
  const first = parseBook(renderBook(rememberPlaces(newBook(RANDOM), places)));
  deepEqual([...first.places], [[home, parsePrefix(away)]]);
  const second = rememberPlaces(first, new Map([[other, parsePrefix("10.8.0.0/16")]]));
  deepEqual([...second.places.keys()].sort(), [other, home].sort());
  const third = rememberPlaces(second, new Map([[home, parsePrefix(home)]]));
  deepEqual([...parseBook(renderBook(third)).places.keys()], [other]);
});

Deno.test("a cluster that moves its range again and again does not fill the book", () => {
  let book = newBook(RANDOM);
  for (let index = 0; index < 200; index++) {
    const range = parsePrefix(`10.${index}.0.0/27`);
    const home = `100.64.${index}.0/27`;
    book = assign(book, plan(["a.example.test"], range), index).book;
    book = rememberPlaces(book, new Map([[home, range]]));
  }
  equal(book.records.size, 9);
  equal(book.places.size, 9);
  equal(book.records.has("10.199.0.0/27") && book.places.has("100.64.199.0/27"), true);
  const again = assign(book, plan(["a.example.test"], parsePrefix("10.192.0.0/27")), 200).book;
  equal(again.records.has("10.191.0.0/27") && again.records.has("10.192.0.0/27"), true);
});

Deno.test("assignAddresses() leaves names their addresses in a wider range, and back in the narrow one", () => {
  const [narrow, wide] = [parsePrefix("100.96.0.0/27"), RANGE];
  const names = Array.from({ length: 20 }, (_, n) => `n${n}.example.test`);
  const first = assign(newBook(RANDOM), plan(names, narrow), 0);
  const second = assign(parseBook(renderBook(first.book)), plan(names, wide), 1, narrow);
  deepEqual(texts(second), texts(first));
  const third = assign(parseBook(renderBook(second.book)), plan(names, narrow), 2);
  deepEqual(texts(third), texts(first));
});

Deno.test("assignAddresses() lets an address rest, whichever range it was given in", () => {
  const [narrow, wide] = [parsePrefix("100.96.0.0/27"), RANGE];
  const days = (count: number) => count * 86_400_000;
  const old = Array.from({ length: 20 }, (_, n) => `old${n}.example.test`);
  const young = Array.from({ length: 20 }, (_, n) => `young${n}.example.test`);
  const first = assign(newBook(RANDOM), plan(old, narrow), 0);
  const taken = new Set(Object.values(texts(first)));
  const gone = assign(first.book, plan([], wide), days(1), narrow); // the old ones leave with their range
  const second = assign(gone.book, plan(young, narrow), days(2));
  for (const address of Object.values(texts(second))) {
    equal(address !== null && taken.has(address), false, `${address} still rests`);
  }
  const third = assign(second.book, plan(young, narrow), days(9));
  deepEqual(Object.values(texts(third)).filter((address) => address === null), []);
});
