import { equal } from "node:assert/strict";
import { VnetError } from "../error.ts";
import { machine } from "../../tests/machine.ts";
import type { PeerSocket } from "../os/mod.ts";
import { admit } from "./admit.ts";

/** A connected client, and a folder for locks. */
async function withClient(
  use: (client: PeerSocket, lockDir: string) => Promise<void>,
): Promise<void> {
  const lockDir = await Deno.makeTempDir({ prefix: "vnet-admit-" });
  const { sockets } = machine.root;
  const [near, far] = sockets.messagePair();
  try {
    await using client = sockets.inheritPeer(near);
    await use(client, lockDir);
  } finally {
    sockets.close(far);
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
