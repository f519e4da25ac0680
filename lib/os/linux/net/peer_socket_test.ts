import { deepEqual, equal, rejects } from "node:assert/strict";
import { parseEndpoint } from "../../../ip/mod.ts";
import { closeFd, loadShim } from "../shim.ts";
import { tcpListen, udpBind } from "./datagram.ts";
import { PeerSocket } from "./peer_socket.ts";
import { MESSAGE_LIMIT_BYTES, SeqpacketSocket, socketPair } from "./seqpacket.ts";

const shim = loadShim();
const LOOPBACK_IFINDEX = 1;
const bytes = (text: string) => new TextEncoder().encode(text);

async function withPair(
  test: (client: SeqpacketSocket, server: PeerSocket) => Promise<void>,
): Promise<void> {
  const [near, far] = socketPair(shim);
  await using server = PeerSocket.inherited(shim, far);
  await using client = SeqpacketSocket.fromFd(shim, near);
  await test(client, server);
}

/** What has the same thing behind it, in this process. */
function copiesOf(fd: number): number {
  const thing = Deno.readLinkSync(`/proc/self/fd/${fd}`);
  return [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${name}`) === thing;
    } catch {
      return false;
    }
  }).length;
}

Deno.test("PeerSocket takes messages, and leaves what carries something where it is", () =>
  withPair(async (client, server) => {
    const fd = udpBind(shim, parseEndpoint("127.0.0.1:0"));
    await client.send(bytes("one"));
    await client.send(bytes("two"), [fd, fd]);
    await client.send(bytes("three"));
    deepEqual(await server.receive(), { bytes: bytes("one"), carries: false });
    for (let again = 0; again < 3; again++) {
      deepEqual(await server.receive(), { bytes: bytes("two"), carries: true });
    }
    equal(copiesOf(fd), 1);
    closeFd(shim, fd);
  }));

Deno.test("PeerSocket has a listener guarded that it never has itself", () =>
  withPair(async (client, server) => {
    const fd = tcpListen(shim, parseEndpoint("127.0.0.1:0"));
    await client.send(bytes("one"), [fd]);
    await client.send(bytes("two"));
    equal((await server.receive())?.carries, true);
    await server.guardCarried([LOOPBACK_IFINDEX], {});
    deepEqual(await server.receive(), { bytes: bytes("two"), carries: false });
    equal(copiesOf(fd), 1);
    closeFd(shim, fd);
  }));

Deno.test("PeerSocket.guardCarried() refuses what is no single listener", async (t) => {
  const listen = () => tcpListen(shim, parseEndpoint("127.0.0.1:0"));
  const udp = () => udpBind(shim, parseEndpoint("127.0.0.1:0"));
  const cases: [name: string, make: () => number[], errno: string][] = [
    ["two listeners", () => [listen(), listen()], "E2BIG"],
    ["a UDP socket", () => [udp()], "EINVAL"],
    ["an eventfd", () => [shim.symbols.vnet_wake_open()], "ENOTSOCK"],
    ["nothing", () => [], "EINVAL"],
  ];
  for (const [name, make, errno] of cases) {
    await t.step(name, () =>
      withPair(async (client, server) => {
        const fds = make();
        await client.send(bytes("x"), fds);
        const code = "listener-guard-failed";
        await rejects(server.guardCarried([LOOPBACK_IFINDEX], {}), { code, errno });
        for (const fd of fds) closeFd(shim, fd);
      }));
  }
});

Deno.test("PeerSocket refuses a message that is too long, and ends with its peer", () =>
  withPair(async (client, server) => {
    const long = new Uint8Array(MESSAGE_LIMIT_BYTES + 1);
    equal(shim.symbols.vnet_unix_send(client.fd, long, long.length, null, 0), long.length);
    await rejects(server.receive(), { code: "socket-receive-failed", errno: "EMSGSIZE" });
    await server.close();
    await rejects(client.send(bytes("x")), { errno: "EPIPE" });
    equal(await server.receive(), null);
  }));

Deno.test("PeerSocket.receive() ends with the signal", () =>
  withPair(async (_client, server) => {
    await rejects(server.receive(AbortSignal.abort()), { name: "AbortError" });
  }));
