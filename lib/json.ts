/**
 * Reads JSON that may be none, as a peer or a file gives it: text, or bytes that must be UTF-8.
 *
 * @returns `undefined`, which no JSON is, if it is not JSON.
 *
 * @example
 * ```ts
 * import { deepEqual, equal } from "node:assert/strict";
 * import { parseJson } from "./json.ts";
 *
 * deepEqual(parseJson('{ "a": 1 }'), { a: 1 });
 * equal(parseJson("null"), null);
 * equal(parseJson("{"), undefined);
 * ```
 */
export function parseJson(input: string | Uint8Array): unknown {
  try {
    const text = typeof input === "string"
      ? input
      : new TextDecoder("utf-8", { fatal: true }).decode(input);
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
