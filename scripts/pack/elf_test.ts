import { deepEqual, equal, throws } from "node:assert/strict";
import fc from "fast-check";
import {
  type Elf,
  gotSlotOf,
  graft,
  offsetOfAddress,
  PAGE_SIZE,
  parseElf,
  planGraft,
  roundUp,
  sectionOf,
  type Segment,
} from "./elf.ts";

const PT_LOAD = 1;
const PT_NOTE = 4;

/** Writes a small executable with the given segments and nothing else. */
function smallElf(segments: readonly Partial<Segment>[], sizeBytes = 1000): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(18, 62, true);
  view.setBigUint64(24, 0x1234n, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, segments.length, true);
  segments.forEach((s, i) => {
    const at = 64 + 56 * i;
    view.setUint32(at, s.type ?? PT_LOAD, true);
    view.setUint32(at + 4, s.flags ?? 4, true);
    const { offset = 0, address = 0, fileSize = 0, memorySize = fileSize, align = PAGE_SIZE } = s;
    [offset, address, address, fileSize, memorySize, align].forEach((n, j) =>
      view.setBigUint64(at + 8 + 8 * j, BigInt(n), true)
    );
  });
  return bytes;
}

const TYPICAL: readonly Partial<Segment>[] = [
  { type: PT_LOAD, offset: 0, address: 0, fileSize: 500 },
  { type: PT_NOTE, offset: 100, address: 100, fileSize: 20 },
  { type: PT_LOAD, offset: 500, address: 0x21f4, fileSize: 400, memorySize: 0x3000 },
];

Deno.test("parseElf() refuses what is not a 64-bit little-endian ELF file", async (t) => {
  const good = smallElf(TYPICAL);
  const broken = (at: number, value: number) => good.with(at, value);
  const cases: [name: string, bytes: Uint8Array][] = [
    ["nothing", new Uint8Array()],
    ["text", new TextEncoder().encode("#!/bin/sh\n".repeat(20))],
    ["32 bits", broken(4, 1)],
    ["big-endian", broken(5, 2)],
    ["too short a header table", smallElf(TYPICAL).subarray(0, 100)],
    ["program headers of another size", broken(54, 32)],
  ];
  for (const [name, bytes] of cases) {
    await t.step(name, () => throws(() => parseElf(bytes), SyntaxError));
  }
});

Deno.test("offsetOfAddress() finds only what a segment brings from the file", () => {
  const elf = parseElf(smallElf(TYPICAL));
  deepEqual(
    [0, 499, 500, 0x21f4, 0x21f4 + 399, 0x21f4 + 400].map((a) => offsetOfAddress(elf, a)),
    [0, 499, null, 500, 899, null],
  );
});

Deno.test("graft() replaces PT_NOTE with the blob and starts in it", () => {
  const before = parseElf(smallElf(TYPICAL));
  const plan = planGraft(before);
  const blob = new Uint8Array([1, 2, 3]);
  const after = parseElf(graft(before, blob, 2, new Uint8Array([9])));

  equal(after.entry, plan.address + 2);
  deepEqual(after.segments.map((s) => s.type), [PT_LOAD, PT_LOAD, PT_LOAD]);
  deepEqual(after.segments[2], {
    type: PT_LOAD,
    flags: 5,
    offset: plan.offset,
    address: plan.address,
    fileSize: 3,
    memorySize: 3,
    align: PAGE_SIZE,
  });
  deepEqual(after.bytes.slice(plan.offset, plan.offset + 3), blob);
  equal(after.bytes[roundUp(plan.offset + 3, PAGE_SIZE)], 9);
  throws(() => graft(after, blob, 0, new Uint8Array()), /no PT_NOTE/);
});

Deno.test("graft() keeps every other segment, in order and apart from the blob", () => {
  const segment = fc.record({
    type: fc.constantFrom(PT_LOAD, PT_NOTE, 2, 6, 7),
    address: fc.integer({ min: 0, max: 1 << 30 }),
    fileSize: fc.integer({ min: 0, max: 100 }),
    memorySize: fc.integer({ min: 100, max: 1 << 20 }),
  });
  const anyElf: fc.Arbitrary<Elf> = fc.array(segment, { maxLength: 12 })
    .map((segments) => [...segments, { type: PT_NOTE }])
    .map((segments) => parseElf(smallElf(segments)));
  fc.assert(fc.property(anyElf, fc.uint8Array({ minLength: 1 }), (elf, blob) => {
    const after = parseElf(graft(elf, blob, 0, new Uint8Array()));
    const { address, offset } = planGraft(elf);
    const added = after.segments.findIndex((s) => s.address === address && s.type === PT_LOAD);
    const note = elf.segments.findIndex((s) => s.type === PT_NOTE);
    deepEqual(after.segments.toSpliced(added, 1), elf.segments.toSpliced(note, 1));
    const loaded = elf.segments.filter((s) => s.type === PT_LOAD);
    equal(loaded.every((s) => s.address + s.memorySize <= address), true);
    equal(offset % PAGE_SIZE, address % PAGE_SIZE);
    deepEqual(after.bytes.slice(offset, offset + blob.length), blob);
  }));
});

Deno.test("gotSlotOf() and sectionOf() read this very runtime", async () => {
  const runtime = parseElf(await Deno.readFile(Deno.execPath()));
  const slot = gotSlotOf(runtime, "environ");
  const got = sectionOf(runtime, ".got");
  equal(slot !== null && got !== null, true);
  const inside = slot! >= got!.address && slot! < got!.address + got!.bytes.length;
  equal(inside, true, "the slot lies in .got");
  equal(gotSlotOf(runtime, "no_such_variable"), null);
  equal(sectionOf(runtime, ".no-such-section"), null);
});
