import { equal } from "node:assert/strict";
import { VnetError } from "../error.ts";
import { loadShim, SeqpacketSocket } from "../os/mod.ts";
import { admit } from "./admit.ts";

const shim = loadShim();

/** A connected client, and a folder for locks. */
async function withClient(
  use: (client: SeqpacketSocket, lockDir: string) => Promise<void>,
): Promise<void> {
  const lockDir = await Deno.makeTempDir({ prefix: "vnet-admit-" });
  const [near, far] = SeqpacketSocket.pair(shim);
  try {
    await use(near, lockDir);
  } finally {
    await Promise.all([near.close(), far.close()]);
    await Deno.remove(lockDir, { recursive: true });
  }
}

Deno.test("admit() takes the client's user from the kernel, and lets each in once at a time", () =>
  withClient(async (client, lockDir) => {
    const admission = { lockDir, authorize: null };
    {
      using first = await admit(client, admission);
      equal(first.refusal, null);
      equal(first.peer.uid, Deno.uid());
      using second = await admit(client, admission);
      equal(second.refusal?.code, "already-up");
    }
    using third = await admit(client, admission);
    equal(third.refusal, null);
  }));

Deno.test("admit() keeps no place for whom it refuses", () =>
  withClient(async (client, lockDir) => {
    const refusal = new VnetError("helper-denied", "No");
    using refused = await admit(client, { lockDir, authorize: () => Promise.resolve(refusal) });
    equal(refused.refusal, refusal);
    using other = await admit(client, { lockDir, authorize: () => Promise.resolve(null) });
    equal(other.refusal, null);
  }));
