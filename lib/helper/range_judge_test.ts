import { equal, match } from "node:assert/strict";
import fc from "fast-check";
import { contains, parseIp, parsePrefix, prefixOf } from "../ip/mod.ts";
import type { Occupant } from "../os/mod.ts";
import { judgeRange, type Seen } from "./range_judge.ts";

interface Row {
  readonly wanted: string;
  readonly allowed?: readonly string[];
  readonly foreign?: readonly string[];
  readonly gateways?: readonly string[];
  readonly nameservers?: readonly string[];
  readonly connections?: readonly string[];
  readonly own?: readonly string[];
  readonly code: string | null;
}

function seenBy(row: Row): Seen {
  const of = (kind: Occupant["kind"], texts: readonly string[] = []) =>
    texts.map((text) => ({ kind, address: parseIp(text) }));
  return {
    foreign: (row.foreign ?? []).map(parsePrefix),
    occupants: [
      ...of("gateway", row.gateways),
      ...of("nameserver", row.nameservers),
      ...of("connection", row.connections),
    ],
    own: (row.own ?? []).map(parsePrefix),
  };
}

const judge = (row: Row) =>
  judgeRange(parsePrefix(row.wanted), (row.allowed ?? []).map(parsePrefix), seenBy(row));

const PRIVATE = ["10.0.0.0/8"];

const CASES: Readonly<Record<string, Row>> = {
  "all of the default": { wanted: "100.64.0.0/10", code: null },
  "a slice of it": { wanted: "100.100.0.0/16", code: null },
  "the smallest": { wanted: "100.64.0.0/27", code: null },
  "a ULA of vnet's": { wanted: "fd12:3456:789a::/64", code: null },

  "too small": { wanted: "100.64.0.0/28", code: "range-refused" },
  "an address": { wanted: "100.64.0.1/32", code: "range-refused" },
  "too large": { wanted: "10.0.0.0/7", allowed: ["0.0.0.0/0"], code: "range-refused" },
  "half of everything": { wanted: "0.0.0.0/1", allowed: ["0.0.0.0/0"], code: "range-refused" },
  "everything": { wanted: "0.0.0.0/0", allowed: ["0.0.0.0/0"], code: "range-refused" },
  "public": { wanted: "8.8.8.0/24", allowed: ["8.0.0.0/8"], code: "range-refused" },
  "partly public": { wanted: "100.0.0.0/8", allowed: ["100.0.0.0/8"], code: "range-refused" },
  "loopback": { wanted: "127.0.0.0/8", allowed: ["127.0.0.0/8"], code: "range-refused" },
  "link-local": { wanted: "169.254.0.0/16", allowed: ["169.254.0.0/16"], code: "range-refused" },
  "IPv6 larger than a link's": { wanted: "fd12:3456:789a::/48", code: "range-refused" },
  "all unique local IPv6": { wanted: "fc00::/7", code: "range-refused" },
  "an IPv6 address": { wanted: "fd12::1/128", code: "range-refused" },
  "public IPv6": { wanted: "2001:db8::/64", code: "range-refused" },
  "unique local IPv6 that is assigned": { wanted: "fc12::/64", code: "range-forbidden" },

  "RFC 1918 behind the default route": { wanted: "10.9.9.0/24", code: "range-forbidden" },
  "what root allows": { wanted: "10.9.9.0/24", allowed: PRIVATE, code: null },
  "just what root allows": { wanted: "10.0.0.0/8", allowed: PRIVATE, code: null },
  "more than root allows": {
    wanted: "10.0.0.0/8",
    allowed: ["10.0.0.0/9"],
    code: "range-forbidden",
  },
  "beside what root allows": {
    wanted: "10.9.0.0/16",
    allowed: ["10.8.0.0/16", "192.168.0.0/16"],
    code: "range-forbidden",
  },

  "a route inside": {
    wanted: "100.64.0.0/10",
    foreign: ["100.100.0.0/16"],
    code: "range-conflict",
  },
  "a route around": {
    wanted: "100.100.0.0/16",
    foreign: ["100.64.0.0/10"],
    code: "range-conflict",
  },
  "an address of the machine": {
    wanted: "10.9.9.0/24",
    allowed: PRIVATE,
    foreign: ["10.9.9.9/32"],
    code: "range-conflict",
  },
  "routes elsewhere": {
    wanted: "100.64.0.0/10",
    foreign: ["10.0.0.0/8", "fd00::/8"],
    code: null,
  },
  "another subnet of the same IPv6 site": {
    wanted: "fd12:3456:789a:5::/64",
    foreign: ["fd12:3456:789a:1::/64"],
    code: "range-conflict",
  },
  "another IPv6 site": {
    wanted: "fd12:3456:789a::/64",
    foreign: ["fd12:3456:789b::/64"],
    code: null,
  },

  "a gateway that no route leads to": {
    wanted: "172.31.0.0/16",
    allowed: ["172.16.0.0/12"],
    gateways: ["172.31.1.1"],
    code: "range-in-use",
  },
  "a nameserver in the default range": {
    wanted: "100.64.0.0/10",
    nameservers: ["100.100.2.136"],
    code: "range-in-use",
  },
  "a nameserver of an IPv6 site": {
    wanted: "fd12:3456:789a::/64",
    nameservers: ["fd12:3456:789a:53::53"],
    code: "range-in-use",
  },
  "somebody's connection, though root allows the range": {
    wanted: "10.9.9.0/24",
    allowed: PRIVATE,
    connections: ["10.9.9.7"],
    code: "range-in-use",
  },
  "somebody's connection by IPv6": {
    wanted: "fd12:3456:789a::/64",
    connections: ["fd12:3456:789a::7"],
    code: "range-in-use",
  },
  "all of that elsewhere": {
    wanted: "10.9.9.0/24",
    allowed: PRIVATE,
    gateways: ["10.9.8.1", "fe80::1"],
    nameservers: ["10.9.10.53", "127.0.0.53"],
    connections: ["10.9.8.255", "10.9.10.0", "192.0.2.7"],
    code: null,
  },
  "connections through the client's own link": {
    wanted: "100.64.0.0/10",
    connections: ["100.64.0.9", "100.64.0.2"],
    own: ["100.64.0.0/20"],
    code: null,
  },
  "one of its own, and somebody's": {
    wanted: "100.64.0.0/10",
    connections: ["100.64.0.9", "100.65.0.9"],
    own: ["100.64.0.0/20"],
    code: "range-in-use",
  },
};

Deno.test("judgeRange() gives a client what root allows and nobody uses", async (t) => {
  for (const [name, row] of Object.entries(CASES)) {
    await t.step(name, () => equal(judge(row)?.code ?? null, row.code));
  }
});

Deno.test("judgeRange() says what is in the way, and what to do", async (t) => {
  const cases: [row: string, message: RegExp, hint: RegExp][] = [
    ["a nameserver in the default range", /a nameserver .* 100\.100\.2\.136$/, /--cidr RANGE/],
    ["a gateway that no route leads to", /a gateway .* 172\.31\.1\.1$/, /--cidr RANGE/],
    ["somebody's connection by IPv6", /connected by fd12:3456:789a::7$/, /--cidr RANGE/],
    ["a route inside", /already, 100\.100\.0\.0\/16$/, /Omit --cidr/],
    [
      "RFC 1918 behind the default route",
      /root does not allow/,
      /--cidr 10\.9\.9\.0\/24.*`ranges`/,
    ],
  ];
  for (const [name, message, hint] of cases) {
    await t.step(name, () => {
      const refusal = judge(CASES[name]!);
      match(refusal?.message ?? "", message);
      match(refusal?.hint ?? "", hint);
    });
  }
});

Deno.test("judgeRange() never gives away an address that is in use, whatever root allows", () => {
  const address = fc.tuple(fc.constantFrom(0x0a000000, 0x64400000, 0xac100000), fc.nat(0xf_ffff))
    .map(([base, offset]) => ({ family: 4, value: base + offset }) as const);
  const prefix = fc.tuple(address, fc.integer({ min: 8, max: 32 }))
    .map(([address, length]) => prefixOf(address, length));
  const kind = fc.constantFrom<Occupant["kind"]>("gateway", "nameserver", "connection");
  fc.assert(
    fc.property(prefix, fc.array(fc.record({ kind, address })), (wanted, occupants) => {
      const everything = [parsePrefix("0.0.0.0/0")];
      const refusal = judgeRange(wanted, everything, { foreign: [], occupants, own: [] });
      const isHit = occupants.some(({ address }) => contains(wanted, address));
      if (isHit) equal(refusal === null, false);
      // root's word decides about private space only
      const alone = judgeRange(wanted, [], { foreign: [], occupants: [], own: [] });
      if (alone === null) equal(contains(parsePrefix("100.64.0.0/10"), wanted.address), true);
    }),
  );
});
