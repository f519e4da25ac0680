import { deepEqual } from "node:assert/strict";
import type { FlowEvent } from "../../../wire/mod.ts";
import { WaitingEnds } from "./ends.ts";

const end = (connection_id: string): FlowEvent => ({
  event: "app.session.end",
  session_id: "0".repeat(32),
  connection_id,
  user: "alice",
  app: "db",
  port: 1,
});

Deno.test("WaitingEnds tells a root once it listens, in order, each once", async () => {
  const ends = new WaitingEnds();
  const told: string[] = [];
  let isDeaf = true;
  const report = (events: readonly FlowEvent[]) => {
    if (isDeaf) return Promise.reject(new Error("no answer"));
    told.push(...events.map(({ connection_id }) => connection_id));
    return Promise.resolve([]);
  };
  for (let i = 0; i < 450; i++) ends.add("root.example", end(`${i}`));
  ends.add("other.example", end("other"));
  await ends.tell("root.example", report);
  deepEqual(told, []);
  isDeaf = false;
  await Promise.all([ends.tell("root.example", report), ends.tell("root.example", report)]);
  await ends.tell("root.example", report);
  deepEqual(told, Array.from({ length: 450 }, (_, i) => `${i}`));
});

Deno.test("WaitingEnds keeps no more than it may, and forgets with the root", async () => {
  const ends = new WaitingEnds(3);
  const told: string[] = [];
  const report = (events: readonly FlowEvent[]) => {
    told.push(...events.map(({ connection_id }) => connection_id));
    return Promise.resolve([]);
  };
  for (let i = 0; i < 10; i++) ends.add("root.example", end(`${i}`));
  await ends.tell("root.example", report);
  deepEqual(told, ["7", "8", "9"]);
  ends.add("root.example", end("late"));
  ends.forget("root.example");
  await ends.tell("root.example", report);
  deepEqual(told.length, 3);
});
