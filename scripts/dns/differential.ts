/**
 * The DNS codec beside dns-packet: random messages that both must read, and ours that it must read.
 *
 * @module
 */
import { deepEqual, equal } from "node:assert/strict";
import { Buffer } from "node:buffer";
import dnsPacket from "dns-packet";
import {
  decodeMessage,
  decodeQuery,
  encodeQuestion,
  encodeVerdict,
  FLAG,
  formatRrType,
  judge,
  type Message,
  parseRrType,
  questionOf,
  type ResourceRecord,
  RR_TYPE,
} from "../../lib/dns/mod.ts";
import { decodeName } from "../../lib/dns/mod.ts";
import { decodeIp, formatIp, parseIp } from "../../lib/ip/mod.ts";
import { Random } from "./random.ts";
import { NAMES, newTable } from "./table.ts";

const LABEL = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
const QUESTION_TYPES = ["A", "AAAA", "NS", "CNAME", "SOA", "PTR", "MX", "TXT", "SRV"] as const;
const OWN_TYPES = ["A", "AAAA", "TXT", "HTTPS", "SOA", "PTR", "ANY", "TYPE65280"];

/** Both sides of a run. */
export interface DifferentialReport {
  readonly queries: number;
  readonly answers: number;
}

/**
 * Compares so many queries and as many answers.
 *
 * @throws {Error} With the message in hexadecimal, at the first difference.
 */
export function compareWithDnsPacket(count: number, seed: number): DifferentialReport {
  const random = new Random(seed);
  const table = newTable();
  for (let i = 0; i < count; i++) {
    telling(theirQuery(random), compareQuery);
    telling(theirAnswer(random), compareAnswer);
    const type = parseRrType(random.pick(OWN_TYPES));
    const name = mixCase(random, random.oneIn(4) ? randomName(random) : random.pick(NAMES));
    const edns = random.oneIn(2) ? { udpSizeBytes: random.below(65_536) } : {};
    const asked = encodeQuestion(questionOf(name, type), { id: random.below(65_536), ...edns });
    telling(asked, compareOwnQuery);
    const decoded = decodeQuery(asked);
    if (decoded.kind !== "query") throw new Error(`Not a query: ${asked.toHex()}`);
    const verdict = judge(decoded.query.question, table);
    if (verdict.kind === "forward") continue;
    telling(encodeVerdict(decoded.query, verdict, { transport: "udp" }), compareAnswer);
  }
  return { queries: 2 * count, answers: count };
}

function telling(bytes: Uint8Array, compare: (bytes: Uint8Array) => void): void {
  try {
    compare(bytes);
  } catch (cause) {
    throw new Error(`The two differ about ${bytes.toHex()}: ${cause}`, { cause });
  }
}

function theirQuery(random: Random): Uint8Array {
  const additionals: dnsPacket.Answer[] = random.oneIn(2) ? [] : [{
    ...{ type: "OPT", name: ".", udpPayloadSize: 512 + random.below(4000), extendedRcode: 0 },
    ...{ ednsVersion: 0, flags: random.oneIn(2) ? 0x8000 : 0, flag_do: false, options: [] },
  }];
  return Uint8Array.from(dnsPacket.encode({
    type: "query",
    id: random.below(65_536),
    flags: random.pick([0, FLAG.RD, FLAG.RD | FLAG.CD, FLAG.AD]),
    questions: [{ name: randomName(random), type: random.pick(QUESTION_TYPES) }],
    additionals,
  }));
}

function compareQuery(bytes: Uint8Array): void {
  const decoded = decodeQuery(bytes);
  if (decoded.kind !== "query") throw new Error(`we say ${decoded.kind}`);
  const { query } = decoded;
  const theirs = read(bytes);
  const [asked] = theirs.questions ?? [];
  equal(query.id, theirs.id);
  equal(query.question.name, asked?.name.toLowerCase());
  equal(formatRrType(query.question.type), asked?.type);
  equal(query.flags & (FLAG.RD | FLAG.CD | FLAG.AD), (theirs.flags ?? 0) & 0x0130);
  const opt = theirs.additionals?.find((record): record is dnsPacket.OptAnswer =>
    record.type === "OPT"
  );
  equal(query.edns, opt !== undefined);
  equal(query.dnssecOk, ((opt?.flags ?? 0) & 0x8000) !== 0);
  if (opt !== undefined) equal(query.udpSizeBytes, opt.udpPayloadSize);
}

function compareOwnQuery(bytes: Uint8Array): void {
  const theirs = read(bytes);
  const ours = decodeMessage(bytes);
  const [asked] = theirs.questions ?? [];
  equal(asked?.name.toLowerCase(), ours?.questions[0]?.name);
  equal(theirs.id, ours?.id);
  equal((theirs.additionals ?? []).length, ours?.edns === null ? 0 : 1);
}

function theirAnswer(random: Random): Uint8Array {
  const name = randomName(random);
  const records = (most: number) =>
    Array.from({ length: random.below(most + 1) }, () => randomRecord(random, name));
  return Uint8Array.from(dnsPacket.encode({
    type: "response",
    id: random.below(65_536),
    flags: random.pick([0, FLAG.RA, FLAG.AA | FLAG.RA, FLAG.RD | FLAG.RA | 3, FLAG.TC]),
    questions: [{ name, type: random.pick(QUESTION_TYPES) }],
    answers: records(6),
    authorities: records(2),
    additionals: records(2),
  }));
}

function randomRecord(random: Random, owner: string): dnsPacket.Answer {
  const name = random.oneIn(3) ? randomName(random) : owner;
  const ttl = random.below(0x7fff_ffff);
  const target = randomName(random);
  const type = random.pick(QUESTION_TYPES);
  switch (type) {
    case "A":
      return { name, ttl, type, data: [...random.bytes(4)].join(".") };
    case "AAAA":
      return { name, ttl, type, data: formatIp(decodeIp(random.bytes(16)) ?? parseIp("::")) };
    case "NS":
    case "CNAME":
    case "PTR":
      return { name, ttl, type, data: target };
    case "MX":
      return { name, ttl, type, data: { preference: random.below(65_536), exchange: target } };
    case "TXT":
      return { name, ttl, type, data: Buffer.from(random.bytes(random.below(200))) };
    case "SRV":
      return {
        name,
        ttl,
        type,
        data: { port: random.below(65_536), target, weight: 1, priority: 2 },
      };
    case "SOA": {
      const data = { mname: target, rname: "a.b", serial: 1, refresh: 2, retry: 3, expire: 4 };
      return { name, ttl, type, data: { ...data, minimum: random.below(1000) } };
    }
    default:
      return type satisfies never;
  }
}

function compareAnswer(bytes: Uint8Array): void {
  const ours = decodeMessage(bytes);
  if (ours === null) throw new Error("we cannot read it");
  const theirs = read(bytes);
  equal(ours.id, theirs.id);
  equal(ours.flags & 0x0fbf, (theirs.flags ?? 0) & 0x0fbf);
  compareRecords(bytes, ours.answers, theirs.answers ?? []);
  compareRecords(bytes, ours.authorities, theirs.authorities ?? []);
  const extras = (theirs.additionals ?? []).filter(({ type }) => type !== "OPT");
  compareRecords(bytes, ours.additionals, extras);
  compareEdns(ours, theirs.additionals ?? []);
}

function compareEdns(ours: Message, theirs: readonly dnsPacket.Answer[]): void {
  const opt = theirs.find((record): record is dnsPacket.OptAnswer => record.type === "OPT");
  equal(ours.edns?.udpSizeBytes, opt?.udpPayloadSize);
}

function compareRecords(
  bytes: Uint8Array,
  ours: readonly ResourceRecord[],
  theirs: readonly dnsPacket.Answer[],
): void {
  equal(ours.length, theirs.length);
  for (const [index, own] of ours.entries()) {
    const other = theirs[index];
    if (other === undefined || other.type === "OPT") throw new Error("a record is missing");
    equal(own.name, other.name.toLowerCase());
    equal(own.ttlSeconds, other.ttl);
    deepEqual(dataOf(bytes, own), dataOf2(other));
  }
}

/** What our reader makes of a record's data, in the words of `dataOf2`. */
function dataOf(bytes: Uint8Array, record: ResourceRecord): unknown {
  const { type, rdata, rdataOffset } = record;
  const nameAt = (offset: number) => decodeName(bytes, rdataOffset + offset)?.name;
  switch (type) {
    case RR_TYPE.A:
    case RR_TYPE.AAAA: {
      const address = decodeIp(rdata);
      return address && formatIp(address);
    }
    case RR_TYPE.NS:
    case RR_TYPE.CNAME:
    case RR_TYPE.PTR:
    case RR_TYPE.SOA:
      return nameAt(0);
    case RR_TYPE.MX:
      return nameAt(2);
    case RR_TYPE.SRV:
      return nameAt(6);
    default:
      return rdata.length;
  }
}

function dataOf2(record: dnsPacket.Answer): unknown {
  switch (record.type) {
    case "A":
      return record.data;
    case "AAAA":
      return formatIp(parseIp(record.data));
    case "NS":
    case "CNAME":
    case "PTR":
      return record.data.toLowerCase();
    case "SOA":
      return record.data.mname.toLowerCase();
    case "MX":
      return record.data.exchange.toLowerCase();
    case "SRV":
      return record.data.target.toLowerCase();
    case "TXT":
      return [record.data].flat().reduce((sum, text) => sum + 1 + text.length, 0);
    default:
      throw new Error(`an unexpected ${record.type}`);
  }
}

function read(bytes: Uint8Array): dnsPacket.DecodedPacket {
  return dnsPacket.decode(Buffer.from(bytes));
}

function randomName(random: Random): string {
  const labels = Array.from({ length: 1 + random.below(5) }, () => {
    const length = random.oneIn(20) ? 63 : 1 + random.below(12);
    return Array.from({ length }, () => LABEL[random.below(LABEL.length)]).join("");
  });
  while (labels.join(".").length > 253) labels.pop();
  return labels.join(".");
}

function mixCase(random: Random, name: string): string {
  return [...name].map((letter) => random.oneIn(2) ? letter.toUpperCase() : letter).join("");
}
