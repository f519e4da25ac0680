import { deepEqual, equal, rejects, throws } from "node:assert/strict";
import { needing } from "../../../../tests/needs.ts";
import { parseEndpoint, parseIp, parsePrefix } from "../../../ip/mod.ts";
import { findListener, guardListener, socketOwner } from "./sockets.ts";
import { localEndpoint } from "./datagram.ts";
import { linkIndex } from "./netlink.ts";
import { destroySockets } from "./sockets.ts";
import { loadShim } from "../shim.ts";

const shim = loadShim();
const lo = linkIndex(shim, "lo");

function endpointOf(address: Deno.NetAddr): ReturnType<typeof parseEndpoint> {
  return { address: parseIp(address.hostname), port: address.port };
}

Deno.test("findListener() finds the descriptor of Deno.listen", () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const endpoint = endpointOf(listener.addr);
  const fd = findListener(shim, endpoint);
  deepEqual(localEndpoint(shim, fd), endpoint);
  listener.close();
  throws(() => findListener(shim, endpoint), { code: "listener-unknown", errno: "ENOENT" });
});

for (const host of ["127.0.0.1", "::1"]) {
  Deno.test(`guardListener() lets in what comes from the right link and address (${host})`, async () => {
    const listener = Deno.listen({ hostname: host, port: 0 });
    const fd = findListener(shim, endpointOf(listener.addr));
    guardListener(shim, fd, [lo, lo + 1000], { source: parseIp(host) });
    const connect = () =>
      Deno.connect({
        hostname: host,
        port: listener.addr.port,
        signal: AbortSignal.timeout(200),
      });
    const [client, conn] = await Promise.all([connect(), listener.accept()]);
    await client.write(new Uint8Array(9));
    equal(await conn.read(new Uint8Array(16)), 9);
    client.close();
    conn.close();
    guardListener(shim, fd, [lo + 1000]);
    await rejects(connect(), { name: "TimeoutError" });
    guardListener(shim, fd, [lo], { source: parseIp(host === "::1" ? "fd00::1" : "10.0.0.1") });
    await rejects(connect(), { name: "TimeoutError" });
    throws(() => guardListener(shim, fd, []), { code: "listener-guard-failed" });
    listener.close();
  });
}

Deno.test("socketOwner() knows the exact connection, and no listener", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [client, conn] = await Promise.all([
    Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port }),
    listener.accept(),
  ]);
  const source = endpointOf(client.localAddr);
  const destination = endpointOf(client.remoteAddr);
  equal(socketOwner(shim, { source, destination })?.uid, Deno.uid());
  equal(socketOwner(shim, { source: destination, destination: source })?.uid, Deno.uid());
  equal(socketOwner(shim, { source, destination: { ...destination, port: 1 } }), null);
  const other = { ...source, port: source.port - 1 };
  equal(socketOwner(shim, { source: destination, destination: other }), null);
  const other6 = parseEndpoint("[::1]:1");
  throws(() => socketOwner(shim, { source, destination: other6 }), TypeError);
  client.close();
  equal(socketOwner(shim, { source, destination }), null); // closed: nobody's, not root's
  conn.close();
  listener.close();
});

Deno.test(needing(["root"], "destroySockets() leaves other prefixes alone", () => {
  equal(destroySockets(shim, parsePrefix("100.99.98.0/24")), 0);
  equal(destroySockets(shim, parsePrefix("fd7a:9999::/64")), 0);
}));

/** Runs without capabilities, whoever runs the test: root gives them up first. */
async function withoutCapabilities(script: string): Promise<string> {
  const run = [Deno.execPath(), "eval", "--no-check", script];
  const drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"];
  const [command = "", ...args] = Deno.uid() === 0 ? [...drop, ...run] : run;
  const { stdout } = await new Deno.Command(command, { args, stderr: "inherit" }).output();
  return new TextDecoder().decode(stdout).trim();
}

Deno.test("openRaw() says which privilege it lacks", async () => {
  const answer = await withoutCapabilities(`
    import { openRaw } from "${import.meta.resolve("./sockets.ts")}";
    import { loadShim } from "${import.meta.resolve("../shim.ts")}";
    try {
      openRaw(loadShim(), 4, ${lo});
      console.log("opened");
    } catch (error) {
      console.log(error.code, error.errno);
    }`);
  equal(answer, "raw-denied EPERM");
});
