import { equal } from "node:assert/strict";
import fc from "fast-check";
import { parseDomainName } from "../name.ts";
import { objectionToZone, type Zone, ZoneTable } from "./zone.ts";

function zone(suffix: string, isPrivate = false): Zone {
  return { suffix: parseDomainName(suffix), private: isPrivate };
}

Deno.test("ZoneTable.match() prefers the longest suffix, whole labels only", async (t) => {
  const zones = new ZoneTable(
    ["corp.example", "eu.corp.example", "test.internal"].map((s) => zone(s)),
  );
  const cases: [name: string, want: string | null][] = [
    ["db.corp.example", "corp.example"],
    ["a.b.c.corp.example", "corp.example"],
    ["db.eu.corp.example", "eu.corp.example"],
    ["eu.corp.example", "corp.example"], // an apex lies in the zone above
    ["xcorp.example", null],
    ["corp.example", null],
    ["example", null],
    ["corp.example.org", null],
    ["xeu.corp.example", "corp.example"],
    ["", null],
    ["corp\\046example", null],
  ];
  for (const [name, want] of cases) {
    await t.step(JSON.stringify(name), () => equal(zones.match(name)?.suffix ?? null, want));
  }
});

Deno.test("ZoneTable.match() finds what scanning all zones finds", () => {
  const label = fc.constantFrom("a", "b", "ab");
  const name = fc.array(label, { minLength: 1, maxLength: 5 }).map((labels) => labels.join("."));
  fc.assert(fc.property(fc.array(name, { maxLength: 8 }), name, (suffixes, name) => {
    const zones = new ZoneTable(suffixes.map((suffix) => zone(suffix)));
    let wanted: string | null = null;
    for (const suffix of suffixes) {
      const longer = wanted === null || suffix.length > wanted.length;
      if (name.endsWith(`.${suffix}`) && longer) wanted = suffix;
    }
    equal(zones.match(name)?.suffix ?? null, wanted);
    equal(zones.atApex(name)?.suffix ?? null, suffixes.includes(name) ? name : null);
    equal(zones.anyBelow(name), suffixes.some((suffix) => suffix.endsWith(`.${name}`)));
  }));
});

Deno.test("ZoneTable.match() is the same under case and trailing dot of the claim", () => {
  const zones = new ZoneTable([zone("CORP.Example.")]);
  equal(zones.match("db.corp.example")?.suffix, "corp.example");
});

Deno.test("ZoneTable takes a suffix claimed twice as private only if both say so", () => {
  for (
    const [one, two, want] of [[true, true, true], [true, false, false], [
      false,
      true,
      false,
    ]] as const
  ) {
    const zones = new ZoneTable([zone("corp.example", one), zone("corp.example", two)]);
    equal(zones.atApex("corp.example")?.private, want);
    equal(zones.all().length, 1);
  }
});

Deno.test("objectionToZone() refuses what belongs to everybody", async (t) => {
  const cases: [suffix: string, refused: boolean][] = [
    ["corp.example", false],
    ["company.test", false],
    ["teleport.example.com", false],
    ["example.co.uk", false],
    ["internal.corp", false],
    ["com", true],
    ["test", true],
    ["co.uk", true],
    ["github.io", true],
    ["corp.local", true],
    ["local", true],
    ["localhost", true],
    ["app.localhost", true],
    ["64.100.in-addr.arpa", true],
    ["x.onion", true],
  ];
  for (const [suffix, refused] of cases) {
    await t.step(suffix, () => equal(objectionToZone(parseDomainName(suffix)) !== null, refused));
  }
});
