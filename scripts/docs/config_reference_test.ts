import { deepEqual, equal, throws } from "node:assert/strict";
import { z } from "zod";
import { ConfigError } from "../../lib/error.ts";
import { checkValue, strict } from "../../lib/config/mistakes.ts";
import { parse } from "yaml";
import { PARTS } from "./config_keys.ts";
import { checkPart, findKeys, format, type Part, renderReference } from "./config_reference.ts";

const Schema = strict({
  name: z.string(),
  level: z.enum(["low", "high"]).default("low"),
  rows: z.array(strict({ port: z.number(), end: z.number().optional() })).min(1),
  labels: z.record(z.string(), z.string({ error: "a label" })).optional(),
  words: z.array(z.string()).optional(),
  inner: strict({ flag: z.boolean() }).optional(),
});

const PART: Part = {
  title: "sample",
  text: "A sample.",
  example: "{ name: a, rows: [{ port: 1 }] }",
  read: (text) => {
    const checked = checkValue(Schema, parse(text), () => null);
    if (checked.kind === "bad") throw new ConfigError("sample", checked.mistakes);
    return checked.value;
  },
  keys: {
    "name": { text: "n" },
    "level": { text: "l", default: "low" },
    "rows": { text: "r" },
    "rows[].port": { text: "p" },
    "rows[].end": { text: "e" },
    "labels": { text: "l" },
    "words": { text: "w" },
    "inner": { text: "i" },
    "inner.flag": { text: "f" },
  },
};

Deno.test("findKeys() finds every key, what it expects and whether it is required", () => {
  deepEqual(findKeys(PART).map(({ path, expected, isRequired }) => [path, expected, isRequired]), [
    ["inner", "an object", false],
    ["inner.flag", "true or false", true],
    ["labels", "an object; each key: a label", false],
    ["level", 'one of "low", "high"', false],
    ["name", "a text", true],
    ["rows", "a list of objects", true],
    ["rows[].end", "a number", false],
    ["rows[].port", "a number", true],
    ["words", "a list; each entry: a text", false],
  ]);
});

Deno.test("checkPart() says which words do not fit", () => {
  const check = (keys: Part["keys"]) => checkPart({ ...PART, keys }, findKeys(PART));
  const { name: _, ...silent } = PART.keys;
  deepEqual(check(PART.keys), []);
  deepEqual(check(silent), ["sample: nothing is said about name"]);
  deepEqual(check({ ...PART.keys, "nome": { text: "n" } }), ["sample: there is no key nome"]);
  deepEqual(check({ ...PART.keys, "level": { text: "l", default: "high" } }), [
    "sample: the default of level is another",
  ]);
  throws(() => renderReference([{ ...PART, keys: silent }]), /nothing is said about name/);
});

Deno.test("docs/configuration.md is what scripts/docs/config_reference.ts writes", async () => {
  const path = new URL("../../docs/configuration.md", import.meta.url).pathname;
  equal(await Deno.readTextFile(path), await format(renderReference(PARTS)));
});
