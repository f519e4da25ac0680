import { equal, match } from "node:assert/strict";
import { parsePrefix } from "../../ip/mod.ts";
import { describeMoves } from "./places.ts";

Deno.test("describeMoves() says which range lies where, and why", () => {
  const move = {
    wanted: parsePrefix("100.64.0.0/10"),
    placed: parsePrefix("172.16.0.0/16"),
    obstacle: parsePrefix("100.64.0.0/10"),
  };
  equal(describeMoves([]), null);
  equal(
    describeMoves([move])?.message,
    "Addresses come from 172.16.0.0/16 instead of 100.64.0.0/10 " +
      "(this machine has a route or address in it already, 100.64.0.0/10)",
  );
  match(
    describeMoves([{ ...move, obstacle: null }, move])?.message ?? "",
    /^Addresses come from .* when something else used it\), and from 172\.16\.0\.0\/16 instead of/,
  );
});
