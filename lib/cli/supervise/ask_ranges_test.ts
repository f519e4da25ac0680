import { deepEqual, match } from "node:assert/strict";
import type { Context } from "../context.ts";
import { askRanges, openQuestions, questionOf } from "./ask_ranges.ts";

const wanted = (state: "taken" | "unasked" | "declined" | "forbidden", n = 77) =>
  ({ proxy: "a.test", cluster: "a.test", range: `10.${n}.0.0/16`, state }) as const;

const EACH = [
  wanted("taken", 1),
  wanted("unasked", 2),
  wanted("declined", 3),
  wanted("forbidden", 4),
];

Deno.test("openQuestions() are what nobody answered, and for root what only the user did", () => {
  deepEqual(openQuestions(EACH, false).map(({ range }) => range), ["10.2.0.0/16"]);
  deepEqual(openQuestions(EACH, true).map(({ range }) => range), ["10.2.0.0/16", "10.4.0.0/16"]);
});

Deno.test("openQuestions() are few, however many a cluster has", () => {
  const many = Array.from({ length: 200 }, (_, n) => wanted("unasked", n));
  deepEqual(openQuestions(many, true).length, 4);
});

Deno.test("askRanges() asks nobody where nobody sits", async () => {
  const context = { stdinIsTerminal: false } as Context;
  deepEqual(await askRanges(context, { private_ranges: EACH }), []);
});

Deno.test("questionOf() says who wants what, and what it would cost", () => {
  match(questionOf(wanted("unasked")), /"a\.test" wants .*10\.77\.0\.0\/16.*cannot reach it/);
});
