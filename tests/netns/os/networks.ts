/**
 * A client whose network changes under it: addresses that leave, a line that is cut, IPv6 alone. The cluster is a whole
 * one behind a relay; what is noticed is the kernel's own. Run by tests/netns/os_test.ts in a network namespace.
 *
 * @module
 */
import { deepEqual, equal, ok } from "node:assert/strict";
import { ownDriver } from "../../../lib/client/cluster/own/mod.ts";
import { NetworkKeeper } from "../../../lib/client/network/network_keeper.ts";
import { surroundingsOf } from "../../../lib/client/network/surroundings.ts";
import { tcpDialer } from "../../../lib/io/mod.ts";
import { formatHostPort, NAT64_NAME, parseIp } from "../../../lib/ip/mod.ts";
import { Front } from "../../doubles/front.ts";
import {
  app,
  close,
  connPair,
  drain,
  echoServer,
  never,
  NO_STORE,
  pattern,
  planned,
  saysHello,
  sha256Hex,
  TestCluster,
  TestServer,
  writeAll,
} from "../../e2e/cluster.ts";
import { machine } from "../../machine.ts";
import { needing } from "../../needs.ts";

/** Where the proxy is, and where the client is before and after. */
const PROXY = "10.1.0.1";
const CLIENT = "10.1.0.2";
const LATER = "10.1.0.3";
/** What the issue gives a dead carrier: with a margin of two. */
const SOON_MS = 2 * 3_000;
const BULK = pattern(8 * 1024 * 1024);

async function run(line: string, input = ""): Promise<void> {
  const [command = "", ...args] = line.split(" ");
  const child = new Deno.Command(command, { args, stdin: "piped", stderr: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { success, stderr } = await child.output();
  if (!success) throw new Error(`${line}: ${new TextDecoder().decode(stderr)}`);
}

/** Has the client's packets to the proxy come from an address. */
const comeFrom = (address: string) =>
  run(`ip route replace local ${PROXY} dev lo table local proto kernel scope host src ${address}`);

/** A cluster, and a client that follows the network. */
async function world() {
  await run("ip link set lo up");
  for (const address of [PROXY, CLIENT, LATER]) await run(`ip addr replace ${address}/32 dev lo`);
  await comeFrom(CLIENT);
  const stack = new AsyncDisposableStack();
  const echo = stack.use(echoServer());
  const source = stack.use(
    new TestServer(async (conn) => {
      await writeAll(conn, BULK);
      await conn.closeWrite();
      await drain(conn);
    }),
  );
  const front = stack.use(new Front({ host: "127.0.0.1", port: 9 }, { hostname: PROXY }));
  const cluster = stack.use(
    await TestCluster.start([app("echo", echo.port), app("bulk", source.port)], {
      publicAddrs: [formatHostPort(front.address)],
    }),
  );
  for (const name of ["echo", "bulk"]) await cluster.served(name);
  front.to = cluster.address;
  const { profile } = await cluster.login("alice", "", front.address);
  const nowMs = () => cluster.clock.nowMs;
  const around = surroundingsOf(machine, () => null);
  const link = ownDriver({ nowMs, store: NO_STORE }).open(profile, around);
  stack.defer(() => link.close());
  let changes = 0;
  stack.use(
    new NetworkKeeper({
      machine,
      ownIfindex: () => null,
      onChange: () => {
        changes++;
        link.networkChanged();
      },
    }),
  );
  const open = async (name: string) => {
    const target = planned(name);
    const right = await link.right({ target, port: 5432, proof: null }, never());
    return await link.open({ right, target, port: 5432 }, never());
  };
  return {
    link,
    open,
    front,
    changes: () => changes,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

Deno.test(
  needing(
    ["ip"],
    "an address that leaves ends its connections at once, and new ones go on",
    async () => {
      await using made = await world();
      const { outer, inner } = await connPair();
      const spliced = (await made.open("echo")).splice(inner, never());
      await writeAll(outer, new TextEncoder().encode("hello"));
      equal(await outer.read(new Uint8Array(16)), 5);
      await comeFrom(LATER);
      await run(`ip addr del ${CLIENT}/32 dev lo`);
      equal((await spliced).reason, "carrier-lost");
      equal(
        await outer.read(new Uint8Array(16)).catch(() => null),
        null,
        "the program sees the end",
      );
      close(outer);
      await saysHello(await made.open("echo"));
    },
  ),
);

Deno.test(
  needing(
    ["ip", "nft"],
    "a line that is cut ends its connections three seconds after the network changed",
    async () => {
      await using made = await world();
      const { outer, inner } = await connPair();
      const spliced = (await made.open("echo")).splice(inner, never());
      await writeAll(outer, new TextEncoder().encode("hello"));
      equal(await outer.read(new Uint8Array(16)), 5);
      await run(
        "nft -f -",
        `table inet cut {
      chain input {
        type filter hook input priority 0
        ip daddr ${CLIENT} drop
        ip saddr ${CLIENT} drop
      }
    }
    `,
      );
      try {
        await comeFrom(LATER);
        await run("ip route add 192.0.2.0/24 dev lo");
        const begin = performance.now();
        equal((await spliced).reason, "carrier-lost");
        ok(performance.now() - begin < SOON_MS);
        await saysHello(await made.open("echo"));
      } finally {
        await run("nft delete table inet cut");
        await run("ip route del 192.0.2.0/24 dev lo");
      }
      close(outer);
    },
  ),
);

Deno.test(
  needing(
    ["ip"],
    "a connection whose program does not read outlives a change of the network",
    async () => {
      await using made = await world();
      const { outer, inner } = await connPair();
      const spliced = (await made.open("bulk")).splice(inner, never());
      const before = made.changes();
      await run("ip route add 198.51.100.0/24 dev lo");
      while (made.changes() === before) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      await new Promise((resolve) => setTimeout(resolve, 4_000)); // longer than it has to answer
      await run("ip route del 198.51.100.0/24 dev lo");
      const { digest } = await drain(outer);
      await outer.closeWrite();
      deepEqual([(await spliced).reason, digest], ["done", sha256Hex(BULK)]);
      close(outer);
    },
  ),
);

Deno.test(
  needing(
    ["ip"],
    "after a link has gone and come back, new connections go on",
    async () => {
      await using made = await world();
      await saysHello(await made.open("echo"));
      const before = made.changes();
      await run("ip link set lo down");
      while (made.changes() === before) await new Promise((resolve) => setTimeout(resolve, 10));
      await run("ip link set lo up");
      await comeFrom(CLIENT);
      await saysHello(await made.open("echo"));
    },
  ),
);

Deno.test(
  needing(
    ["ip"],
    "an IPv4 address is reached through NAT64 where there is IPv6 alone",
    async () => {
      await run("ip link set lo up");
      await run("ip -6 addr replace 64:ff9b::cb00:7105/128 dev lo nodad");
      await using server = new Deno6();
      const dial = tcpDialer({
        lookup: (name) => Promise.resolve(name === NAT64_NAME ? [parseIp("64:ff9b::c000:aa")] : []),
      });
      const socket = await dial({ host: "203.0.113.5", port: server.port }, never());
      equal(socket.remoteAddress, "64:ff9b::cb00:7105");
      socket.destroy();
    },
  ),
);

/** Listens on the translated address. */
class Deno6 implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "64:ff9b::cb00:7105", port: 0 });
  readonly #serving = this.#serve();

  get port(): number {
    return this.#listener.addr.port;
  }

  async #serve(): Promise<void> {
    for await (const conn of this.#listener) close(conn);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#serving;
  }
}
