/**
 * The little of ELF that packing needs: 64-bit little-endian files, read and grown in memory. It knows nothing
 * of vnet.
 *
 * @module
 * @see elf(5), System V ABI chapters 4 and 5
 */

const EHDR_SIZE = 64;
const PHDR_SIZE = 56;
const SHDR_SIZE = 64;
const RELA_SIZE = 24;
const SYM_SIZE = 24;
const DYN_SIZE = 16;

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_NOTE = 4;
const PF_READ_EXECUTE = 5;
const R_X86_64_GLOB_DAT = 6;

const DT_NULL = 0;
const DT_STRTAB = 5;
const DT_SYMTAB = 6;
const DT_RELA = 7;
const DT_RELASZ = 8;

/** Memory pages and file offsets of loaded segments agree modulo this. */
export const PAGE_SIZE = 4096;

/** One row of the program header table. */
export interface Segment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: number;
  readonly fileSize: number;
  readonly memorySize: number;
  readonly align: number;
}

/** A parsed executable; `bytes` is the whole file and stays the caller's. */
export interface Elf {
  readonly bytes: Uint8Array;
  readonly machine: number;
  readonly entry: number;
  readonly segments: readonly Segment[];
}

/** The value of `e_machine` of x86-64. */
export const EM_X86_64 = 62;

/** @returns The smallest multiple of `step` that is not below `n`. */
export function roundUp(n: number, step: number): number {
  return Math.ceil(n / step) * step;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Reads a u64 that must be a safe integer, as every offset in a real file is. */
function u64(view: DataView, at: number): number {
  const value = Number(view.getBigUint64(at, true));
  if (!Number.isSafeInteger(value)) throw new RangeError(`Implausible number in ELF file at ${at}`);
  return value;
}

/**
 * Parses the headers of an executable.
 *
 * @throws {SyntaxError} If it is not a 64-bit little-endian ELF file, or its tables lie outside it.
 */
export function parseElf(bytes: Uint8Array): Elf {
  const view = viewOf(bytes);
  if (bytes.length < EHDR_SIZE || view.getUint32(0) !== 0x7f454c46) {
    throw new SyntaxError("Not an ELF file");
  }
  if (bytes[4] !== 2 || bytes[5] !== 1) {
    throw new SyntaxError("Not a 64-bit little-endian ELF file");
  }
  const start = u64(view, 32);
  const count = view.getUint16(56, true);
  if (
    count > 0 && view.getUint16(54, true) !== PHDR_SIZE || start + count * PHDR_SIZE > bytes.length
  ) {
    throw new SyntaxError("The program headers lie outside the ELF file");
  }
  return {
    bytes,
    machine: view.getUint16(18, true),
    entry: u64(view, 24),
    segments: Array.from({ length: count }, (_, i) => readSegment(view, start + i * PHDR_SIZE)),
  };
}

function readSegment(view: DataView, at: number): Segment {
  return {
    type: view.getUint32(at, true),
    flags: view.getUint32(at + 4, true),
    offset: u64(view, at + 8),
    address: u64(view, at + 16),
    fileSize: u64(view, at + 32),
    memorySize: u64(view, at + 40),
    align: u64(view, at + 48),
  };
}

function writeSegment(view: DataView, at: number, segment: Segment): void {
  view.setUint32(at, segment.type, true);
  view.setUint32(at + 4, segment.flags, true);
  const { offset, address, fileSize, memorySize, align } = segment;
  [offset, address, address, fileSize, memorySize, align].forEach((value, i) =>
    view.setBigUint64(at + 8 + 8 * i, BigInt(value), true)
  );
}

/** @returns Where an address lies in the file, or `null` if no loaded segment brings it from there. */
export function offsetOfAddress(elf: Elf, address: number): number | null {
  const segment = elf.segments.find((s) =>
    s.type === PT_LOAD && address >= s.address && address < s.address + s.fileSize
  );
  return segment === undefined ? null : address - segment.address + segment.offset;
}

function textAt(bytes: Uint8Array, at: number): string {
  return new TextDecoder().decode(bytes.subarray(at, bytes.indexOf(0, at)));
}

/** A section's bytes and its address. */
export interface Section {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** @returns The section of that name, or `null` if there is none. */
export function sectionOf(elf: Elf, name: string): Section | null {
  const view = viewOf(elf.bytes);
  const table = u64(view, 40);
  const count = view.getUint16(60, true);
  if (table === 0 || table + count * SHDR_SIZE > elf.bytes.length) return null;
  const at = (index: number) => table + index * SHDR_SIZE;
  const names = u64(view, at(view.getUint16(62, true)) + 24);
  for (let i = 0; i < count; i++) {
    if (textAt(elf.bytes, names + view.getUint32(at(i), true)) !== name) continue;
    const offset = u64(view, at(i) + 24);
    return {
      address: u64(view, at(i) + 16),
      bytes: elf.bytes.slice(offset, offset + u64(view, at(i) + 32)),
    };
  }
  return null;
}

/** The tables that the dynamic segment points to, by tag. */
function dynamicTable(elf: Elf): ReadonlyMap<number, number> {
  const table = new Map<number, number>();
  const dynamic = elf.segments.find((s) => s.type === PT_DYNAMIC);
  if (dynamic === undefined) return table;
  const view = viewOf(elf.bytes);
  const end = dynamic.offset + dynamic.fileSize;
  for (let at = dynamic.offset; at + DYN_SIZE <= end; at += DYN_SIZE) {
    const tag = u64(view, at);
    if (tag === DT_NULL) break;
    table.set(tag, Number(BigInt.asUintN(53, view.getBigUint64(at + 8, true))));
  }
  return table;
}

/**
 * Finds the slot of the global offset table through which an executable reaches a variable of its libraries.
 *
 * @returns The slot's address, or `null` if the executable does not use that variable.
 */
export function gotSlotOf(elf: Elf, symbol: string): number | null {
  const table = dynamicTable(elf);
  const fileOffset = (tag: number) => offsetOfAddress(elf, table.get(tag) ?? -1);
  const [relocations, symbols, names] = [DT_RELA, DT_SYMTAB, DT_STRTAB].map(fileOffset);
  if (relocations == null || symbols == null || names == null) return null;
  const view = viewOf(elf.bytes);
  const end = relocations + (table.get(DT_RELASZ) ?? 0);
  for (let at = relocations; at + RELA_SIZE <= end; at += RELA_SIZE) {
    if (view.getUint32(at + 8, true) !== R_X86_64_GLOB_DAT) continue;
    const entry = symbols + view.getUint32(at + 12, true) * SYM_SIZE;
    if (textAt(elf.bytes, names + view.getUint32(entry, true)) === symbol) return u64(view, at);
  }
  return null;
}

/** Where a grafted blob will lie, known before its contents have to be. */
export interface Graft {
  readonly offset: number;
  readonly address: number;
}

/** Says where {@linkcode graft} puts a blob: behind everything, in the file and in memory. */
export function planGraft(elf: Elf): Graft {
  const ends = elf.segments.filter((s) => s.type === PT_LOAD).map((s) => s.address + s.memorySize);
  return {
    offset: roundUp(elf.bytes.length, PAGE_SIZE),
    // A gap, so that the heap's neighbours stay as the linker laid them out.
    address: roundUp(Math.max(0, ...ends), PAGE_SIZE) + 16 * PAGE_SIZE,
  };
}

/**
 * Builds the file anew with a blob of code mapped read-only and executable, and the entry point in it. The blob
 * takes the place of the PT_NOTE row, which nothing needs at run time.
 *
 * @param tail Bytes behind the blob, not mapped; they begin at the next page of the file.
 * @returns A new file.
 * @throws {SyntaxError} If the executable has no PT_NOTE row to give.
 */
export function graft(
  elf: Elf,
  blob: Uint8Array,
  entryOffset: number,
  tail: Uint8Array,
): Uint8Array {
  const note = elf.segments.findIndex((s) => s.type === PT_NOTE);
  if (note < 0) throw new SyntaxError("The ELF file has no PT_NOTE segment to replace");
  const { offset, address } = planGraft(elf);
  const added: Segment = {
    type: PT_LOAD,
    flags: PF_READ_EXECUTE,
    offset,
    address,
    fileSize: blob.length,
    memorySize: blob.length,
    align: PAGE_SIZE,
  };
  const rest = elf.segments.toSpliced(note, 1);
  // PT_LOAD rows have to stand in ascending order of address; ours is the highest.
  const last = rest.findLastIndex((s) => s.type === PT_LOAD);
  const segments = rest.toSpliced(last + 1, 0, added);

  const tailOffset = roundUp(offset + blob.length, PAGE_SIZE);
  const out = new Uint8Array(tailOffset + tail.length);
  out.set(elf.bytes);
  out.set(blob, offset);
  out.set(tail, tailOffset);
  const view = viewOf(out);
  const start = u64(view, 32);
  segments.forEach((segment, i) => writeSegment(view, start + i * PHDR_SIZE, segment));
  view.setBigUint64(24, BigInt(address + entryOffset), true);
  return out;
}
