import { equal, rejects } from "node:assert/strict";
import { closeFd, loadShim } from "./shim.ts";
import { socketPair } from "./net/seqpacket.ts";
import { READABLE, Waiter, WRITABLE } from "./waiter.ts";

const shim = loadShim();

async function withPair(test: (ours: number, theirs: number) => Promise<void>): Promise<void> {
  const [ours, theirs] = socketPair(shim);
  try {
    await test(ours, theirs);
  } finally {
    closeFd(shim, ours);
    closeFd(shim, theirs);
  }
}

function send(fd: number): void {
  shim.symbols.vnet_unix_send(fd, Uint8Array.of(1), 1, null, 0);
}

Deno.test("Waiter.wait() returns when the descriptor is ready", () =>
  withPair(async (ours, theirs) => {
    const waiter = new Waiter(shim, ours);
    equal(await waiter.wait(WRITABLE), true);
    const ready = waiter.wait(READABLE);
    send(theirs);
    equal(await ready, true);
    await waiter.close();
  }));

Deno.test("Waiter.close() ends every wait", () =>
  withPair(async (ours) => {
    const waiter = new Waiter(shim, ours);
    const waits = [waiter.wait(READABLE), waiter.wait(READABLE), waiter.wait(READABLE)];
    await waiter.close();
    equal((await Promise.all(waits)).join(), "false,false,false");
    equal(await waiter.wait(READABLE), false);
    equal(waiter.closed, true);
  }));

Deno.test("Waiter.wait() ends when its signal is aborted, and only that one", () =>
  withPair(async (ours, theirs) => {
    const waiter = new Waiter(shim, ours);
    const controller = new AbortController();
    const aborted = rejects(waiter.wait(READABLE, controller.signal), { name: "AbortError" });
    const other = waiter.wait(READABLE);
    controller.abort();
    await aborted;
    send(theirs);
    equal(await other, true);
    await rejects(waiter.wait(READABLE, controller.signal), { name: "AbortError" });
    await waiter.close();
  }));

Deno.test("Waiter.wait() fails for a descriptor that is not open", async () => {
  const waiter = new Waiter(shim, 100_000);
  await rejects(waiter.wait(READABLE), { code: "wait-failed", errno: "EINVAL" });
});
