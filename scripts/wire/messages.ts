/**
 * What must hold for messages of JSON: what is taken is what the schema says, once and for all; and whatever a
 * cluster publishes, another's names and addresses stay as they were.
 *
 * @module
 */
import type { z } from "zod";
import { viewOf } from "../../lib/client/cluster/own/views.ts";
import { parseJson } from "../../lib/json.ts";
import { type ClusterView, compilePlan, type PlanSource } from "../../lib/plan/mod.ts";
import * as wire from "../../lib/wire/mod.ts";
import type { Random } from "../dns/random.ts";
import { bend } from "../fuzz/bend.ts";
import { readSamples, type Sample } from "./corpus.ts";
import { must } from "./must.ts";
import { checkClaims } from "./sign_in.ts";

const SCHEMAS: ReadonlyMap<string, z.ZodType> = new Map(
  Object.entries(wire).flatMap(([name, value]) =>
    name.endsWith("Schema") ? [[name.replace(/Schema$/, ""), value as z.ZodType]] : []
  ),
);
/** What a cluster says of itself and its apps, in two answers. */
const PUBLISHED = "Published";
/** What an identity provider says of somebody. */
const CLAIMS = "OidcClaims";
const MAX_BYTES = 16_384;
/** Values that have broken programs. */
const VALUES: readonly unknown[] = [
  ...[
    null,
    true,
    0,
    -1,
    1.5,
    2 ** 53,
    1e308,
    "",
    ".",
    "..",
    "*",
    "a".repeat(300),
    "\u0000",
    "\ud800",
  ],
  ...["\u001b[31m", "192.0.2.1/33", "0.0.0.0/0", "::/0", "good.example", "web.good.example"],
  ...["100.64.0.0/10", "10.0.0.0/8", "xn--a", "a..b", "[::1]:443", "9999-12-31T23:59:59Z"],
  ...[[], {}, [[]], { "__proto__": { "kind": "x" } }],
];

const GOOD: ClusterView = {
  root: {
    name: "good.example",
    proxyHosts: ["good.example"],
    proxyAddrs: ["good.example:443"],
    range: "100.64.0.0/10",
    zones: [],
  },
  leaves: [],
  apps: [{
    kind: "tcp",
    name: "web",
    cluster: "good.example",
    id: "00112233aabbccdd",
    publicAddrs: ["web.good.example"],
    description: null,
    labels: {},
    ports: null,
  }],
};
const SOURCE: PlanSource = { profile: "good.example", proxyHost: "good.example", view: GOOD };

const SAMPLES = readSamples("messages.jsonl");

/** A message, as text, and what it is to be. */
export interface Message {
  readonly schema: string;
  readonly text: string;
}

/** Bends a message: its values, or its text. */
export function nextMessage(random: Random): Message {
  const { schema, value } = random.pick(SAMPLES);
  if (random.oneIn(3)) {
    const same = SAMPLES.filter((one) => one.schema === schema).map(bytesOf);
    const bytes = bend(random, same, { maxBytes: MAX_BYTES });
    return { schema, text: new TextDecoder().decode(bytes) };
  }
  let bent = structuredClone(value);
  for (let edits = random.below(4); edits > 0; edits--) bent = bendValue(random, bent);
  return { schema, text: JSON.stringify(bent) };
}

function bytesOf({ value }: Sample): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** Puts another value somewhere into this one, or takes one away. */
function bendValue(random: Random, value: unknown): unknown {
  if (value === null || typeof value !== "object" || random.oneIn(6)) return anyValue(random);
  const keys = Object.keys(value);
  if (keys.length === 0) return anyValue(random);
  const key = random.pick(keys);
  const inner: unknown = Reflect.get(value, key);
  switch (random.below(8)) {
    case 0:
      Reflect.deleteProperty(value, key);
      break;
    case 1:
      Reflect.set(value, random.pick(keys), structuredClone(inner));
      break;
    case 2:
      if (Array.isArray(value)) value.push(structuredClone(inner));
      break;
    default:
      Reflect.set(value, key, bendValue(random, inner));
  }
  return value;
}

function anyValue(random: Random): unknown {
  return structuredClone(random.pick(VALUES));
}

/** Reads a message. @returns Whether it was taken. @throws {Error} What does not hold. */
export function checkMessage({ schema, text }: Message, random: Random): boolean {
  if (schema === CLAIMS) return checkClaims(parseJson(text), random);
  if (schema === PUBLISHED) return checkPublished(text);
  const expected = SCHEMAS.get(schema);
  must(expected !== undefined, `there is no message ${schema}`);
  const taken = wire.decodeControl(expected, text);
  if (taken === null) return false;
  const said = JSON.stringify(taken);
  const again = wire.decodeControl(expected, said);
  must(JSON.stringify(again) === said, "what was taken is not taken again");
  return true;
}

function checkPublished(text: string): boolean {
  const value = parseJson(text);
  if (value === null || typeof value !== "object") return false;
  const config = wire.ClusterConfigSchema.safeParse(Reflect.get(value, "config"));
  const apps = wire.AppsResponseSchema.safeParse(Reflect.get(value, "apps"));
  if (!config.success || !apps.success) return false;
  const view = viewOf(config.data, apps.data);
  const evil: PlanSource = { profile: "evil.example", proxyHost: "evil.example", view };
  const plan = compilePlan([SOURCE, evil], { range: null });
  for (const [name, target] of plan.targets) {
    const isGoods = name === "good.example" || name.endsWith(".good.example");
    must(!isGoods || target.profile === SOURCE.profile, `${name} is another cluster's`);
  }
  must(plan.targets.has("web.good.example" as never), "web.good.example is gone");
  must(
    plan.excluded.includes("good.example" as never),
    "the proxy's own name has no public answer",
  );
  return true;
}
