import { equal } from "node:assert/strict";
import { FightLimit, Pulse } from "./pace.ts";

Deno.test("FightLimit.strike() lets 10 of 5 s through, then rests 30 s", () => {
  const fights = new FightLimit();
  for (let i = 0; i < 10; i++) equal(fights.strike(i * 100), 0);
  equal(fights.strike(1_000), 30_000);
  equal(fights.strike(2_000), 29_000);
  equal(fights.strike(30_999), 1);
  equal(fights.strike(31_000), 0);
});

Deno.test("FightLimit.strike() goes on for ever when strikes are rare", () => {
  const fights = new FightLimit();
  for (let i = 0; i < 100; i++) equal(fights.strike(i * 501), 0);
});

Deno.test("Pulse.next() is woken by a poke, by one made before, and by the end", async () => {
  const pulse = new Pulse();
  const end = new AbortController();
  pulse.poke();
  pulse.poke();
  equal(await pulse.next(0, end.signal), true);
  const waiting = pulse.next(0, end.signal);
  pulse.poke();
  equal(await waiting, true);
  const last = pulse.next(60_000, end.signal);
  end.abort();
  equal(await last, false);
  equal(await pulse.next(60_000, end.signal), false);
});
