import { deepEqual, ok } from "node:assert/strict";
import { cutToRoom, sharesOf } from "./leaf_shares.ts";

Deno.test("sharesOf() gives who wants little all of it, and the others the same", () => {
  const cases: [wants: Record<string, number>, room: number, shares: Record<string, number>][] = [
    [{}, 10, {}],
    [{ a: 3 }, 10, { a: 3 }],
    [{ a: 30 }, 10, { a: 10 }],
    [{ greedy: 1000, small: 2 }, 10, { small: 2, greedy: 8 }],
    [{ x: 1000, y: 500, small: 2 }, 10, { small: 2, y: 4, x: 4 }],
  ];
  for (const [wants, room, shares] of cases) {
    deepEqual(Object.fromEntries(sharesOf(new Map(Object.entries(wants)), room)), shares);
  }
});

Deno.test("cutToRoom() keeps all together below the room, by count and by bytes", () => {
  const items = (count: number, bytes: number) => Array.from({ length: count }, () => ({ bytes }));
  const cut = cutToRoom(
    new Map([["small", items(3, 10)], ["many", items(500, 1)], ["large", items(4, 1000)]]),
    { count: 100, bytes: 2200 },
  );
  deepEqual([...cut].map(([name, { length }]) => [name, length]), [
    ["small", 3],
    ["many", 93],
    ["large", 1],
  ]);
  const bytes = [...cut.values()].flat().reduce((sum, one) => sum + one.bytes, 0);
  ok(bytes <= 2200);
});
