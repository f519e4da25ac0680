import { deepEqual, equal } from "node:assert/strict";
import { MemoryMachine } from "../../../tests/doubles/machine.ts";
import { until } from "../../../tests/doubles/memory_client.ts";
import { NetworkKeeper } from "./network_keeper.ts";

/** Follows a network, by a clock that stands still; notes how often routes had been read at each change. */
function start() {
  const machine = new MemoryMachine();
  const { routing } = machine;
  const told: number[] = [];
  const keeper = new NetworkKeeper({
    machine,
    ownIfindex: () => null,
    onChange: () => told.push(routing.reads),
    clockMs: 3_600_000,
    nowMs: () => 0,
  });
  return { routing, told, [Symbol.asyncDispose]: () => keeper[Symbol.asyncDispose]() };
}

Deno.test("NetworkKeeper takes routes that it cannot read for no change", async () => {
  await using world = start();
  const { routing, told } = world;
  routing.failure = new Error("ENOBUFS");
  routing.removeRoute("192.168.77.0/24", "eth0"); // there is none: news of nothing
  const before = routing.reads;
  await until(() => routing.reads >= before + 2); // at once, and a little later
  routing.failure = null;
  routing.removeRoute("192.168.77.0/24", "eth0");
  await until(() => routing.reads >= before + 4);
  deepEqual(told, []);
  routing.addRoute("10.0.0.0/8", "eth0");
  await until(() => told.length === 1);
});

Deno.test("NetworkKeeper reads the routes once for all that happens while a change waits to be told of", async () => {
  await using world = start();
  const { routing, told } = world;
  routing.addRoute("10.0.0.0/16", "eth0");
  await until(() => told.length === 1);
  const before = routing.reads;
  routing.addRoute("10.1.0.0/16", "eth0");
  await until(() => routing.reads > before);
  const waiting = routing.reads;
  for (let n = 2; told.length < 2; n++) {
    routing.addRoute(`10.${n}.0.0/16`, "eth0");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  equal(told[1], waiting + 1);
  await until(() => routing.reads > waiting + 1); // it looks on, and there is no more news in it
  equal(told.length, 2);
});
