import { deepEqual, equal, ok } from "node:assert/strict";
import type { TicketHolder } from "../auth/mod.ts";
import type { ForeignRight } from "../../wire/mod.ts";
import { AppRelays } from "./app_relays.ts";
import { ForeignRelays, type ForeignRoot } from "./foreign_relays.ts";
import type { DataChannel } from "./rendezvous.ts";

const RIGHT: ForeignRight = {
  session_id: "0".repeat(32),
  login_id: "1".repeat(32),
  user: "alice",
  roles: ["dev"],
  app: "db",
  port: 0,
  expires: "2030-01-01T00:00:00.000Z",
};

function holderOf(cluster: string): TicketHolder {
  return {
    appId: "a",
    app: "db",
    sessionId: RIGHT.session_id,
    loginId: RIGHT.login_id,
    user: `${cluster}/alice`,
    expiresMs: Date.parse(RIGHT.expires),
    port: 0,
    leaf: null,
    home: { cluster, user: "alice", roles: ["dev"] },
  };
}

/** A leaf's proxy whose agents are there at once, and roots that can only be told what failed. */
function world(limits: { dialMs: number; maxEach: number }) {
  const relays = new AppRelays();
  const released: string[] = [];
  const foreign = new ForeignRelays(
    { roots: { judge: (root) => holderOf(root) } },
    relays,
    {
      dial: () =>
        Promise.resolve({ release: () => void released.push("far") } as unknown as DataChannel),
      revoke: () => {},
    },
    limits,
  );
  const failed: string[] = [];
  const root = (cluster: string, more: Partial<ForeignRoot> = {}): ForeignRoot => ({
    cluster,
    dial: (signal) => {
      if (signal.aborted) return Promise.reject(signal.reason);
      return new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason), { once: true })
      );
    },
    fail: (ticket, code) => void failed.push(`${cluster} ${ticket} ${code}`),
    ...more,
  });
  const carry = (root: ForeignRoot, ticket: string) =>
    foreign.carry(root, { ticket, app_id: "a", peer: "", right: RIGHT });
  return { relays, foreign, failed, released, root, carry };
}

Deno.test("a root whose proxy does not answer holds nothing for longer than the deadline", async () => {
  const { foreign, failed, released, relays, root, carry } = world({ dialMs: 20, maxEach: 8 });
  carry(root("root.example"), "t1");
  await foreign.close();
  deepEqual(failed, ["root.example t1 no-agent"]);
  deepEqual(released, ["far"]);
  equal(relays.size, 0);
});

Deno.test("a root that takes no bytes holds nothing for longer than the deadline", async () => {
  const { foreign, failed, relays, root, carry } = world({ dialMs: 20, maxEach: 8 });
  let isClosed = false;
  let stop = () => {};
  const deaf = {
    setNoDelay: () => {},
    setKeepAlive: () => {},
    write: () => new Promise<number>((_, reject) => stop = () => reject(new Error("closed"))),
    close: () => {
      isClosed = true;
      stop();
    },
  } as unknown as Deno.TcpConn;
  carry(root("root.example", { dial: () => Promise.resolve(deaf) }), "t1");
  await foreign.close();
  ok(isClosed);
  deepEqual(failed, ["root.example t1 no-agent"]);
  equal(relays.size, 0);
});

Deno.test("a root has so many connections, and takes none of another's", async () => {
  const { foreign, failed, relays, root, carry } = world({ dialMs: 600_000, maxEach: 2 });
  for (const ticket of ["t1", "t2", "t3"]) carry(root("root.example"), ticket);
  carry(root("other.example"), "u1");
  deepEqual(failed, ["root.example t3 no-agent"]);
  foreign.end("root.example");
  foreign.end("other.example");
  relays.close();
  await foreign.close();
  equal(relays.size, 0);
  carry(root("root.example"), "t4");
  ok(!failed.includes("root.example t4 no-agent"));
  relays.close();
  await foreign.close();
});
