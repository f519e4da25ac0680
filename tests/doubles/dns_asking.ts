/**
 * Asking upstreams in a test, and saying in a word what came of it.
 *
 * @module
 */
import {
  decodeMessage,
  decodeQuery,
  encodeQuestion,
  type Query,
  questionOf,
} from "../../lib/dns/mod.ts";
import { type AskOptions, type UpstreamResult, Upstreams } from "../../lib/io/mod.ts";

/** The deadline is 90 steps. */
export const QUICK = { tickMs: 2 };
/** Slow enough that an answer is always there before the next few steps. */
export const STEADY = { tickMs: 8 };
export const NAME = "www.long-enough-name.example";

export function newQuery(name = NAME): Query {
  const decoded = decodeQuery(encodeQuestion(questionOf(name, 1), { id: 7 }));
  if (decoded.kind !== "query") throw new Error("not a query");
  return decoded.query;
}

export function ask(
  upstreams: Upstreams,
  query = newQuery(),
  options: AskOptions = { transport: "udp" },
): Promise<UpstreamResult> {
  return new Promise((resolve) => upstreams.ask(query, options, resolve));
}

/** Says what came of asking in a word: the first address, the response code, or the error. */
export function wordFor(result: UpstreamResult): string {
  if (result.kind === "failed") return `${result.error.code} ${result.error.text}`;
  const message = decodeMessage(result.bytes);
  return message?.answers[0]?.rdata.join(".") ?? `rcode ${message?.rcode}`;
}
