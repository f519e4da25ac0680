import { deepEqual, equal, notDeepEqual, notEqual, throws } from "node:assert/strict";
import fc from "fast-check";
import { contains, formatIp, type Ipv4, parseIpv4, parsePrefix } from "../ip/mod.ts";
import { AddressPool, type Lease, type LeaseRecord, QUARANTINE_MS } from "./pool.ts";

const KEY = Uint8Array.from({ length: 16 }, (_, i) => i);
const RANGE = parsePrefix("100.64.0.0/27");
const USABLE = 32 - 5; // network, self, peer, DNS, broadcast

function newPool(
  records: readonly LeaseRecord[] = [],
  reserved: readonly Ipv4[] = [],
): AddressPool {
  return new AddressPool({ range: RANGE, reserved, key: KEY, records });
}

function leased(pool: AddressPool, name: string, nowMs: number): Lease {
  const lease = pool.lease(name, nowMs);
  notEqual(lease, "exhausted", name);
  return lease as Lease;
}

function fill(pool: AddressPool, nowMs: number): string[] {
  const names: string[] = [];
  for (let i = 0;; i++) {
    const name = `filler${i}.example`;
    if (pool.lease(name, nowMs) === "exhausted") return names;
    names.push(name);
  }
}

Deno.test("AddressPool.lease() gives the same name the same address", () => {
  const pool = newPool();
  const lease = leased(pool, "db.corp.example", 0);
  deepEqual(pool.lease("db.corp.example", 5), lease);
  deepEqual(pool.find("db.corp.example"), lease);
  deepEqual(pool.findAddress(lease.ipv4), lease);
  // also in another pool of the same key, without any records
  deepEqual(newPool().lease("db.corp.example", 0), lease);
});

Deno.test("AddressPool.lease() lands elsewhere under another key", () => {
  const range = parsePrefix("100.64.0.0/10");
  const one = new AddressPool({ range, reserved: [], key: KEY });
  const two = new AddressPool({ range, reserved: [], key: KEY.toReversed() });
  notDeepEqual(one.lease("db.corp.example", 0), two.lease("db.corp.example", 0));
});

Deno.test("AddressPool.lease() gives every usable address once, then says exhausted", () => {
  const reserved = [parseIpv4("100.64.0.10"), parseIpv4("100.64.0.20")];
  const pool = newPool([], reserved);
  const names = fill(pool, 0);
  equal(names.length, USABLE - reserved.length);
  const given = pool.leases().map(({ ipv4 }) => ipv4.value - RANGE_START).sort((a, b) => a - b);
  const wanted = Array.from({ length: 32 }, (_, i) => i)
    .filter((low) => low > 3 && low !== 31 && low !== 10 && low !== 20);
  deepEqual(given, wanted);
  equal(pool.lease("one-more.example", 1), "exhausted");
});

Deno.test("AddressPool.lease() keeps an address from other names for seven days", () => {
  const pool = newPool();
  const [first = ""] = fill(pool, 0);
  const { ipv4 } = leased(pool, first, 0);
  pool.release(first, 1000);
  equal(pool.find(first), null);
  equal(pool.findAddress(ipv4), null);
  equal(pool.lease("other.example", 1000 + QUARANTINE_MS - 1), "exhausted");
  deepEqual(pool.lease("other.example", 1000 + QUARANTINE_MS), { name: "other.example", ipv4 });
  equal(pool.lease(first, 1001 + QUARANTINE_MS), "exhausted");
});

Deno.test("AddressPool.lease() gives a name that returns its old address, in quarantine and after", () => {
  for (const laterMs of [1, QUARANTINE_MS * 3]) {
    const pool = newPool();
    const lease = leased(pool, "db.corp.example", 0);
    pool.release("db.corp.example", 0);
    deepEqual(pool.lease("db.corp.example", laterMs), lease);
  }
});

Deno.test("AddressPool.lease() takes fresh addresses before rested ones", () => {
  const pool = newPool();
  const names = fill(pool, 0);
  const [first = "", second = ""] = names;
  for (const name of [first, second]) pool.release(name, 0);
  leased(pool, "a.example", QUARANTINE_MS); // takes one of the two rested ones
  equal(pool.records().length, USABLE);
  const half = newPool();
  half.lease("x.example", 0);
  half.release("x.example", 0);
  for (let i = 0; i < USABLE - 1; i++) leased(half, `y${i}.example`, QUARANTINE_MS * 2);
  equal(half.records().some(({ name }) => name === "x.example"), true);
  leased(half, "last.example", QUARANTINE_MS * 2);
  equal(half.records().some(({ name }) => name === "x.example"), false);
});

Deno.test("AddressPool.release() twice does not begin the rest anew", () => {
  const pool = newPool();
  const [first = ""] = fill(pool, 0);
  pool.release(first, 10);
  pool.release(first, 1_000_000);
  notEqual(pool.lease("other.example", 10 + QUARANTINE_MS), "exhausted");
});

Deno.test("AddressPool.release() of an unknown name changes nothing", () => {
  const pool = newPool();
  pool.release("nobody.example", 0);
  deepEqual(pool.records(), []);
});

Deno.test("AddressPool begins a rest anew when the clock was set back", () => {
  const pool = newPool();
  const [first = ""] = fill(pool, 0);
  pool.release(first, 10 * QUARANTINE_MS); // a clock far ahead
  equal(pool.lease("other.example", 0), "exhausted");
  equal(pool.lease("other.example", QUARANTINE_MS - 1), "exhausted");
  notEqual(pool.lease("other.example", QUARANTINE_MS), "exhausted");
});

Deno.test("AddressPool.records() make an equal pool, quarantine included", () => {
  const pool = newPool();
  for (const name of ["c.example", "a.example", "b.example"]) pool.lease(name, 0);
  pool.release("b.example", 77);
  const records = JSON.parse(JSON.stringify(pool.records()));
  deepEqual(records.map(({ name }: LeaseRecord) => name), ["a.example", "b.example", "c.example"]);
  const copy = newPool(records);
  deepEqual(copy.records(), pool.records());
  deepEqual(copy.leases(), pool.leases());
  equal(copy.find("b.example"), null);
});

Deno.test("AddressPool leaves out records that do not fit", async (t) => {
  const cases: [name: string, records: LeaseRecord[], kept: string[]][] = [
    ["outside the range", [{ name: "a", ipv4: "100.64.1.5", releasedMs: null }], []],
    ["below the range", [{ name: "a", ipv4: "1.2.3.4", releasedMs: null }], []],
    ["the self address", [{ name: "a", ipv4: "100.64.0.1", releasedMs: null }], []],
    ["the broadcast address", [{ name: "a", ipv4: "100.64.0.31", releasedMs: null }], []],
    ["a reserved address", [{ name: "a", ipv4: "100.64.0.9", releasedMs: null }], []],
    ["not an address", [{ name: "a", ipv4: "nonsense", releasedMs: null }], []],
    ["an address twice", [
      { name: "a", ipv4: "100.64.0.5", releasedMs: 5 },
      { name: "b", ipv4: "100.64.0.5", releasedMs: null },
    ], ["b"]],
    ["a name twice", [
      { name: "a", ipv4: "100.64.0.5", releasedMs: null },
      { name: "a", ipv4: "100.64.0.6", releasedMs: null },
    ], ["a"]],
  ];
  for (const [name, records, kept] of cases) {
    await t.step(name, () => {
      const pool = newPool(records, [parseIpv4("100.64.0.9")]);
      deepEqual(pool.records().map((record) => record.name), kept);
    });
  }
});

Deno.test("AddressPool refuses ranges and keys that cannot serve", () => {
  const options = { range: RANGE, reserved: [], key: KEY };
  throws(() => new AddressPool({ ...options, range: parsePrefix("10.0.0.0/28") }), RangeError);
  throws(() => new AddressPool({ ...options, range: parsePrefix("fd00::/64") }), RangeError);
  throws(() => new AddressPool({ ...options, key: new Uint8Array(8) }), RangeError);
});

const RANGE_START = parseIpv4("100.64.0.0").value;
const RESERVED = parseIpv4("100.64.0.9");

/** The obvious pool: it knows only what was given to whom and when, and judges what the real one does. */
class Oracle {
  readonly held = new Map<string, string>();
  /** address → last name and when it gave it back */
  readonly rest = new Map<string, { name: string; releasedMs: number }>();

  check(name: string, nowMs: number, given: Lease | "exhausted"): void {
    if (given === "exhausted") {
      equal(this.held.has(name), false, "a holder was refused");
      equal(this.free(name, nowMs).length, 0, "refused although an address was free");
      return;
    }
    const address = formatIp(given.ipv4);
    const before = this.held.get(name);
    if (before !== undefined) equal(address, before, "a holder was moved");
    else equal(this.free(name, nowMs).includes(address), true, `${address} was not free`);
    this.held.set(name, address);
    this.rest.delete(address);
  }

  release(name: string, nowMs: number): void {
    const address = this.held.get(name);
    if (address === undefined) return;
    this.held.delete(name);
    this.rest.set(address, { name, releasedMs: nowMs });
  }

  /** Lists all addresses and strikes out those that may not be given to this name. */
  free(name: string, nowMs: number): string[] {
    const taken = new Set(this.held.values());
    const all = Array.from({ length: 32 }, (_, low) => `100.64.0.${low}`);
    const never = [0, 1, 2, 3, 9, 31].map((low) => `100.64.0.${low}`);
    return all.filter((address) => {
      const rest = this.rest.get(address);
      const resting = rest !== undefined && rest.name !== name &&
        nowMs - rest.releasedMs < QUARANTINE_MS;
      return !never.includes(address) && !taken.has(address) && !resting;
    });
  }
}

Deno.test("AddressPool does what listing all addresses allows, across restarts", () => {
  const step = fc.record({
    act: fc.constantFrom("lease", "lease", "lease", "release", "restart"),
    name: fc.integer({ min: 0, max: 40 }).map((i) => `n${i}.example`),
    passedMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: QUARANTINE_MS / 2 })),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 40, maxLength: 200 }), (steps) => {
      let pool = newPool([], [RESERVED]);
      const oracle = new Oracle();
      let nowMs = 0;
      for (const { act, name, passedMs } of steps) {
        nowMs += passedMs;
        if (act === "lease") oracle.check(name, nowMs, pool.lease(name, nowMs));
        if (act === "release") {
          pool.release(name, nowMs);
          oracle.release(name, nowMs);
        }
        if (act === "restart") pool = newPool(pool.records(), [RESERVED]);
      }
      const leases = pool.leases();
      deepEqual(
        leases.map(({ name, ipv4 }) => [name, formatIp(ipv4)]),
        [...oracle.held].sort(([a], [b]) => a < b ? -1 : 1),
      );
      equal(leases.every(({ ipv4 }) => contains(RANGE, ipv4)), true);
    }),
    { numRuns: 200 },
  );
});
