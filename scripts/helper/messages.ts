/**
 * Hostile messages for the privileged helper: requests as a daemon makes them, bent at random, with descriptors of all
 * kinds. The same random numbers make the same messages.
 *
 * @module
 */
import { HELPER_PROTOCOL } from "../../lib/wire/mod.ts";
import type { Random } from "../dns/random.ts";

/** What can be sent along. */
export const KINDS = [
  ...["listener", "listener6", "connection", "udp", "unix", "loaded", "file", "folder", "null"],
] as const;
export type Kind = typeof KINDS[number];

/** A message with what it carries. */
export interface Message {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly carried: readonly Kind[];
}

/** One field in so many is what it may not be. */
const BAD = 200;

type Value = null | boolean | number | string | readonly Value[] | {
  readonly [key: string]: Value;
};

/** Longer ones the kernel takes, and the helper does not. */
const SENDABLE_BYTES = 150_000;
const CARRIED_LIMIT = 8;

/** What a field may hold, and what it may not. */
interface Choice {
  readonly good: readonly string[];
  readonly bad: readonly string[];
}

const IPV4: Choice = {
  good: ["100.64.0.1", "10.0.0.1", "127.0.0.1", "255.255.255.255"],
  bad: ["1.2.3", "0x7f.1", "1.2.3.4.5", "::1", ""],
};
const IPV6: Choice = {
  good: ["fd00::1", "::1", "::", "::ffff:127.0.0.1"],
  bad: ["fe80::1%lo", ":::1", "1.2.3.4", "g::"],
};
const LOOPBACK: Choice = { good: ["127.0.0.1", "127.0.53.1"], bad: ["128.0.0.1", "127.1", "::1"] };
const DNS_ADDRESS: Choice = {
  good: ["127.0.53.1", "127.0.53.255", "fd00::1"],
  bad: ["127.0.54.1"],
};
const CIDR4: Choice = {
  good: ["100.64.0.0/20", "10.0.0.0/8", "0.0.0.0/0"],
  bad: ["8.8.8.0/33", "1.2.3.4", "/8", "1.2.3.4/-1"],
};
const CIDR6: Choice = { good: ["fd00::/64", "::/0"], bad: ["fe80::%lo/10", "fd00::/129"] };
const ZONE: Choice = {
  good: ["corp.example", "a.b.c", "_x.y-z.0"],
  bad: ["com", "", ".", "a..b", "-a.b", "x".repeat(300), "ünï.code", "../../etc", "a\0.b", "A.b"],
};
const VALUES: readonly Value[] = [
  ...[null, true, -1, 0, 1.5, 2 ** 32, 1e308, "", "vnet0", "vnet%d", "__proto__", [], {}],
];

/** Makes the next message. */
export function nextMessage(random: Random): Message {
  const { value, carried } = planned(random);
  return { bytes: bytesOf(random, JSON.stringify(value)), carried };
}

/** Most guards carry a listener, as they have to; what else carries something is a slip or an attack. */
function planned(random: Random): { readonly value: Value; readonly carried: readonly Kind[] } {
  const value = request(random);
  const isGuard = typeof value === "object" && value !== null && "op" in value &&
    value.op === "guard";
  if (isGuard && !random.oneIn(3)) {
    return { value, carried: [random.pick(["listener", "listener6"] as const)] };
  }
  return { value, carried: random.oneIn(isGuard ? 2 : 40) ? carriedOf(random) : [] };
}

function bytesOf(random: Random, text: string): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(text);
  switch (random.below(240)) {
    case 0: // cut off
      return bytes.slice(0, 1 + random.below(bytes.length));
    case 1: // a few bytes are others
      for (let n = 0; n <= random.below(4); n++) {
        bytes[random.below(bytes.length)] = random.below(256);
      }
      return bytes;
    case 2: // one field is another
      return new TextEncoder().encode(JSON.stringify(bent(random, JSON.parse(text))));
    case 3:
      return random.oneIn(10) ? huge(random) : bytes;
    case 4:
      return Uint8Array.from({ length: 1 + random.below(64) }, () => random.below(256));
    case 5: // two in one
      return new TextEncoder().encode(text + text);
    default:
      return bytes;
  }
}

/** At and over what a message may be. */
function huge(random: Random): Uint8Array<ArrayBuffer> {
  const lengths = [128 * 1024 - 1, 128 * 1024, 128 * 1024 + 1, SENDABLE_BYTES];
  return new Uint8Array(random.pick(lengths)).fill(random.pick([0x20, 0x5b, 0x7b, 0x22]));
}

function carriedOf(random: Random): readonly Kind[] {
  const count = random.below(3) === 0 ? 1 + random.below(CARRIED_LIMIT) : 1;
  return Array.from({ length: count }, () => random.pick(KINDS));
}

function request(random: Random): Value {
  const head = { v: HELPER_PROTOCOL, id: random.below(1000) };
  const one = ({ good, bad }: Choice) => random.pick(random.oneIn(BAD) ? bad : good);
  const some = (limit: number, choice: Choice) =>
    Array.from({ length: random.below(limit) }, () => one(choice));
  const port = () =>
    random.oneIn(BAD) ? random.pick([0, 65_536, -1, 1.5]) : 1 + random.below(65_535);
  switch (random.below(8)) {
    case 0:
      return { ...head, op: "detect", mode: random.pick(["auto", "none", "direct", "resolved"]) };
    case 1: {
      const ipv4 = { self: one(IPV4), range: one(CIDR4) };
      const ipv6 = random.oneIn(2) ? null : { self: one(IPV6), prefix: one(CIDR6) };
      return { ...head, op: "open", link: random.pick([null, "vnet0", "vnet999"]), ipv4, ipv6 };
    }
    case 2:
      return { ...head, op: "dns-sockets", address: one(DNS_ADDRESS) };
    case 3: {
      const server = { address: one(LOOPBACK), port: port() };
      const dns = { mode: "auto", server, zones: some(6, ZONE) };
      const routes = some(random.oneIn(BAD) ? 100 : 4, random.oneIn(2) ? CIDR4 : CIDR6);
      return { ...head, op: "apply", routes, dns: random.oneIn(4) ? null : dns };
    }
    case 4: {
      const [source = null, destination = null] = [0, 1].map(() => ({
        ...{ address: one(random.oneIn(2) ? IPV4 : IPV6), port: port() },
      }));
      return { ...head, op: "program", source, destination };
    }
    case 5:
      return { ...head, op: "revert" };
    default:
      if (!random.oneIn(4)) return { ...head, op: "revert" };
      return { ...head, op: "guard", source: one(random.oneIn(2) ? IPV4 : IPV6) };
  }
}

function bent(random: Random, value: Record<string, Value>): Value {
  const keys = Object.keys(value);
  const key = random.pick([...keys, "__proto__", "extra"]);
  return Object.fromEntries(
    [...Object.entries(value).filter(([name]) => name !== key), [key, random.pick(VALUES)]],
  );
}
