import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { formatPrefix, isPrivatePrefix, overlaps, parseIp, parsePrefix } from "../ip/mod.ts";
import { foreignPrefixes, placeRanges } from "./place.ts";

const prefixes = (texts: readonly string[]) => texts.map((text) => parsePrefix(text));
const mapOf = (entries: Record<string, string>) =>
  new Map(Object.entries(entries).map(([from, to]) => [from, parsePrefix(to)]));

interface Case {
  readonly wanted: readonly string[];
  readonly foreign: readonly string[];
  readonly inUse?: Record<string, string>;
  readonly remembered?: Record<string, string>;
  readonly granted?: readonly string[];
  readonly moves: readonly string[];
}

Deno.test("placeRanges() moves what is in somebody's way, and nothing else", async (t) => {
  const cases: Record<string, Case> = {
    "nothing in the way": { wanted: ["100.64.0.0/10"], foreign: ["10.0.0.0/8"], moves: [] },
    "a route inside": {
      wanted: ["100.64.0.0/10"],
      foreign: ["100.100.128.0/17"],
      moves: ["100.64.0.0/10 > 100.64.0.0/11"],
    },
    "an address inside": {
      wanted: ["100.64.0.0/16"],
      foreign: ["100.64.3.4/32"],
      moves: ["100.64.0.0/16 > 100.65.0.0/16"],
    },
    "a route around": {
      wanted: ["100.100.0.0/16"],
      foreign: ["100.64.0.0/10"],
      moves: ["100.100.0.0/16 > 172.16.0.0/16"],
    },
    "all of 100.64.0.0/10 and Docker's": {
      wanted: ["100.64.0.0/10"],
      foreign: ["100.64.0.0/10", "172.16.0.0/12"],
      moves: ["100.64.0.0/10 > 10.0.0.0/16"],
    },
    "small holes only": {
      wanted: ["100.64.0.0/10"],
      foreign: [
        "100.64.0.0/10",
        "172.16.0.0/12",
        "10.0.0.0/8",
        "192.168.0.0/17",
        "192.168.128.0/18",
      ],
      moves: ["100.64.0.0/10 > 192.168.192.0/20"],
    },
    "one that must move leaves another where that lay the last time": {
      wanted: ["100.96.0.0/27", "100.80.0.0/16"],
      foreign: ["100.80.7.7/32", "100.96.0.0/24"],
      remembered: { "100.80.0.0/16": "100.64.0.0/16" },
      moves: ["100.96.0.0/27 > 100.65.0.0/27", "100.80.0.0/16 > 100.64.0.0/16"],
    },
    "a route around, and root allows nothing more": {
      wanted: ["100.100.0.0/16"],
      foreign: ["100.64.0.0/10"],
      granted: [],
      moves: [],
    },
    "a route around, and root allows something": {
      wanted: ["100.100.0.0/16"],
      foreign: ["100.64.0.0/10"],
      granted: ["10.213.0.0/16", "192.168.0.0/16"],
      moves: ["100.100.0.0/16 > 10.213.0.0/16"],
    },
    "of what root allows not all is taken": {
      wanted: ["100.64.0.0/10"],
      foreign: ["100.64.0.0/10", "10.0.0.0/16"],
      granted: ["10.0.0.0/8"],
      moves: ["100.64.0.0/10 > 10.1.0.0/16"],
    },
    "where it lay an earlier day root does not allow any more": {
      wanted: ["100.64.0.0/16"],
      foreign: ["100.64.1.0/24"],
      remembered: { "100.64.0.0/16": "172.16.0.0/16" },
      granted: [],
      moves: ["100.64.0.0/16 > 100.65.0.0/16"],
    },
    "no hole at all": {
      wanted: ["100.64.0.0/10"],
      foreign: ["100.64.0.0/10", "172.16.0.0/12", "10.0.0.0/8", "192.168.0.0/16"],
      moves: [],
    },
    "two ranges, the second in the way of the first's slice": {
      wanted: ["100.64.0.0/16", "100.65.0.0/16"],
      foreign: ["100.64.0.0/24"],
      moves: ["100.64.0.0/16 > 100.66.0.0/16"],
    },
    "where it lay an earlier day, though nothing is in the way any more": {
      wanted: ["100.64.0.0/16"],
      foreign: [],
      remembered: { "100.64.0.0/16": "100.70.0.0/16" },
      moves: ["100.64.0.0/16 > 100.70.0.0/16"],
    },
    "where it lay an earlier day is taken": {
      wanted: ["100.64.0.0/16"],
      foreign: ["100.64.0.0/24", "100.70.1.0/24"],
      remembered: { "100.64.0.0/16": "100.70.0.0/16" },
      moves: ["100.64.0.0/16 > 100.65.0.0/16"],
    },
    "where it lay an earlier day is taken, where it was meant to be is not": {
      wanted: ["100.64.0.0/16"],
      foreign: ["100.70.1.0/24"],
      remembered: { "100.64.0.0/16": "100.70.0.0/16" },
      moves: [],
    },
    "in use: it stays, whoever comes later": {
      wanted: ["100.64.0.0/16"],
      foreign: ["100.64.1.0/24"],
      inUse: { "100.64.0.0/16": "100.64.0.0/16" },
      moves: [],
    },
    "one more, where the one in use was moved to": {
      wanted: ["100.64.0.0/16", "100.70.0.0/16"],
      foreign: [],
      inUse: { "100.64.0.0/16": "100.70.0.0/16" },
      moves: ["100.64.0.0/16 > 100.70.0.0/16", "100.70.0.0/16 > 100.65.0.0/16"],
    },
  };
  for (const [name, row] of Object.entries(cases)) {
    await t.step(name, () => {
      const moves = placeRanges({
        wanted: prefixes(row.wanted),
        foreign: prefixes(row.foreign),
        inUse: mapOf(row.inUse ?? {}),
        remembered: mapOf(row.remembered ?? {}),
        granted: row.granted === undefined ? null : prefixes(row.granted),
      });
      deepEqual(
        moves.map(({ wanted, placed }) => `${formatPrefix(wanted)} > ${formatPrefix(placed)}`),
        row.moves,
      );
    });
  }
});

Deno.test("placeRanges() places private ranges apart from each other and from what others have", () => {
  const prefix = fc.record({
    base: fc.constantFrom(0x0a000000, 0x64400000, 0xac100000, 0xc0a80000),
    low: fc.integer({ min: 0, max: 0xffff }),
    length: fc.integer({ min: 16, max: 32 }),
  }).map(({ base, low, length }) => {
    const value = Math.floor((base + low * 256) / 2 ** (32 - length)) * 2 ** (32 - length);
    return { address: { family: 4, value }, length } as const;
  });
  fc.assert(
    fc.property(fc.array(prefix, { maxLength: 12 }), (foreign) => {
      const wanted = prefixes(["100.64.0.0/12", "10.9.0.0/16", "172.16.0.0/20"]);
      const none = new Map();
      const rest = { inUse: none, granted: null };
      const moves = placeRanges({ wanted, foreign, ...rest, remembered: none });
      const placed = wanted.map((range) =>
        moves.find((move) => move.wanted === range)?.placed ?? range
      );
      for (const [index, range] of placed.entries()) {
        ok(isPrivatePrefix(range));
        ok(!foreign.some((other) => overlaps(other, range)), formatPrefix(range));
        ok(!placed.slice(0, index).some((other) => overlaps(other, range)), formatPrefix(range));
      }
      // the same question has the same answer, also when it is asked about what was answered
      const remembered = new Map(moves.map((move) => [formatPrefix(move.wanted), move.placed]));
      deepEqual(placeRanges({ wanted, foreign, ...rest, remembered }), moves);
    }),
  );
});

Deno.test("foreignPrefixes() leaves out default routes, split ones too, and our own link", () => {
  const route = (text: string, type = 1, ifindex = 2) => ({
    prefix: parsePrefix(text),
    type,
    ifindex,
  });
  const found = foreignPrefixes({
    routes: [
      route("0.0.0.0/0"),
      route("128.0.0.0/1"),
      route("64.0.0.0/2"),
      route("2000::/3"),
      route("100.100.0.0/16"),
      route("100.64.0.0/10", 6, 0), // a blackhole is somebody's wish
      route("10.0.0.255/32", 3),
      route("100.96.0.0/12", 9),
      route("100.80.0.0/12", 1, 7),
    ],
    addresses: [
      { address: parseIp("192.168.1.7"), ifindex: 2 },
      { address: parseIp("100.80.0.1"), ifindex: 7 },
      { address: parseIp("fd00::7"), ifindex: 2 },
    ],
  }, 7);
  deepEqual(found.map(formatPrefix), [
    "100.100.0.0/16",
    "100.64.0.0/10",
    "192.168.1.7/32",
    "fd00::7/128",
  ]);
  equal(foreignPrefixes({ routes: [], addresses: [] }, null).length, 0);
});
