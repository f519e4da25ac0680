import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { z } from "zod";
import { ClusterConfigSchema, FindResponseSchema } from "../../lib/wire/mod.ts";
import { AuthError } from "../../lib/error.ts";
import {
  type Dialer,
  dialServer,
  dialTcp,
  HttpClient,
  type ServerSettings,
} from "../../lib/io/mod.ts";
import { DEFAULT_LIMITS } from "../../lib/server/proxy/mod.ts";
import { CLUSTER, drain, never, PROXY_HOST, TestCluster, writeAll } from "./cluster.ts";

async function ask<T>(
  settings: ServerSettings,
  path: string,
  schema: z.ZodType<T>,
  etag: string | null = null,
) {
  using http = new HttpClient(settings);
  return await http.request({ method: "GET", path, schema, etag }, never());
}

async function readAll(conn: Deno.Conn): Promise<string> {
  let text = "";
  const buffer = new Uint8Array(4096);
  try {
    for (let count = await conn.read(buffer); count !== null; count = await conn.read(buffer)) {
      text += new TextDecoder().decode(buffer.subarray(0, count));
    }
  } catch {
    // closed with bytes of ours unread
  }
  return text;
}

Deno.test("the web API is asked only when it is the cluster's", async (t) => {
  await using cluster = await TestCluster.start([]);
  const find = (settings: ServerSettings) => ask(settings, "/webapi/find", FindResponseSchema);
  const login = await cluster.login();

  await t.step("known by its pin", async () => {
    const answer = await find(cluster.settings());
    equal(answer.kind === "value" && answer.value.cluster_name, CLUSTER);
  });

  await t.step("by an address that its certificate names", async () => {
    const server = cluster.address;
    equal((await find(cluster.settings({ server }))).kind, "value");
    const trust = { kind: "authorities", pems: login.hostCaPems } as const;
    equal((await find(cluster.settings({ server, trust }))).kind, "value");
  });

  await t.step("another pin: ca-pin-mismatch", async () => {
    const pins = [`sha256:${"0".repeat(64)}`];
    await rejects(
      find(cluster.settings({ trust: { kind: "pins", pins } })),
      (error: unknown) => error instanceof AuthError && error.code === "ca-pin-mismatch",
    );
  });

  await t.step("the right pin, another host: the pin says who it is", async () => {
    const server = { host: "other.test.example", port: cluster.address.port };
    equal((await find(cluster.settings({ server }))).kind, "value");
  });

  await t.step("public authorities only: proxy-untrusted", async () => {
    await rejects(find(cluster.settings({ trust: { kind: "public" } })), {
      code: "proxy-untrusted",
      message: /issued by "test.example host CA", which this machine does not trust$/,
    });
  });

  await t.step("the cluster's authorities, another host: proxy-untrusted", async () => {
    const server = { host: "other.test.example", port: cluster.address.port };
    const trust = { kind: "authorities", pems: login.hostCaPems, orPublic: true } as const;
    await rejects(find(cluster.settings({ server, trust })), {
      code: "proxy-untrusted",
      message: /is for "proxy.test.example", "127.0.0.1", not for "other.test.example"$/,
    });
  });

  await t.step("nobody there: proxy-unreachable", async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    listener.close();
    const { dial: _dial, ...settings } = cluster.settings({ server: { host: "127.0.0.1", port } });
    await rejects(find(settings), { code: "proxy-unreachable" });
  });
});

Deno.test("the web API knows users by their certificate, and says what has not changed", async (t) => {
  await using cluster = await TestCluster.start([]);
  const login = await cluster.login();

  await t.step("without a certificate: certificate-required", async () => {
    await rejects(ask(cluster.settings(), "/v1/config", ClusterConfigSchema), {
      code: "certificate-required",
    });
  });

  await t.step("an entity tag gives not-modified", async () => {
    const first = await ask(login.settings, "/v1/config", ClusterConfigSchema);
    ok(first.kind === "value" && first.etag !== null);
    const again = await ask(login.settings, "/v1/config", ClusterConfigSchema, first.etag);
    deepEqual(again, { kind: "not-modified" });
  });

  await t.step("a long poll ends with the change it waits for", async () => {
    using http = new HttpClient(login.settings);
    const request = { method: "GET", path: "/v1/apps", schema: z.unknown() } as const;
    const first = await http.request(request, never());
    const etag = first.kind === "value" ? first.etag : null;
    const waiting = http.request({ ...request, path: "/v1/apps?wait=30", etag }, never());
    await cluster.joinAgent("edge", ['{ name: a, uri: "tcp://127.0.0.1:1", labels: { env: dev } }'])
      .then((agent) => agent[Symbol.asyncDispose]());
    equal((await waiting).kind, "value");
  });

  await t.step("a connection is used again", async () => {
    let dialled = 0;
    const dial: Dialer = (_address, signal) => {
      dialled++;
      return dialTcp(cluster.address, signal);
    };
    using http = new HttpClient({ ...login.settings, dial });
    for (let i = 0; i < 3; i++) {
      await http.request({ method: "GET", path: "/v1/apps", schema: z.unknown() }, never());
    }
    equal(dialled, 1);
  });

  await t.step("a poll that is called off ends at once", async () => {
    using http = new HttpClient(login.settings);
    const request = { method: "GET", path: "/v1/config", schema: z.unknown() } as const;
    const first = await http.request(request, never());
    const etag = first.kind === "value" ? first.etag : null;
    const stop = new AbortController();
    const waiting = http.request({ ...request, path: "/v1/config?wait=30", etag }, stop.signal);
    stop.abort(new Error("enough"));
    await rejects(waiting, /enough/);
  });

  await t.step("another answer than expected: protocol-violated", async () => {
    await rejects(ask(cluster.settings(), "/webapi/find", z.object({ other: z.string() })), {
      code: "protocol-violated",
    });
  });
});

Deno.test("the proxy's port is patient with nobody it does not know", async (t) => {
  await using cluster = await TestCluster.start([], {
    limits: { ...DEFAULT_LIMITS, total: 8, unprovenPerHost: 3, perHost: 6, firstBytesMs: 200 },
  });
  const connect = () => {
    const { host, port } = cluster.address;
    return Deno.connect({ hostname: host, port });
  };

  await t.step("clear-text HTTP is told to use TLS", async () => {
    using conn = await connect();
    await writeAll(conn, new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
    match(await readAll(conn), /^HTTP\/1\.1 400 .*https:\/\/\n$/s);
  });

  await t.step("anything else is closed", async () => {
    using conn = await connect();
    await writeAll(conn, new TextEncoder().encode("SSH-2.0-x\r\n"));
    equal(await readAll(conn), "");
  });

  await t.step("a data channel nobody waits for is closed", async () => {
    using conn = await connect();
    await writeAll(conn, new TextEncoder().encode("VNETDATA/1 abcdefghijklmnop\r\n"));
    equal(await readAll(conn), "");
  });

  await t.step("who says nothing is closed, and so is who says it letter by letter", async () => {
    using silent = await connect();
    using slow = await connect();
    await writeAll(slow, Uint8Array.of(22, 3, 1, 2, 0, 1));
    deepEqual([await readAll(silent), await readAll(slow)], ["", ""]);
  });

  await t.step(
    "who does a handshake and asks for nothing, or for half of it, is closed",
    async () => {
      const [silent, half] = await Promise.all([
        dialServer(cluster.settings(), ["http/1.1"]),
        dialServer(cluster.settings(), ["http/1.1"]),
      ]);
      half.write("GET /webapi/find HTTP/1.1\r\nhost: x\r\n");
      await Promise.all([silent, half].map((socket) => {
        const { promise, resolve } = Promise.withResolvers<void>();
        socket.on("close", () => resolve());
        socket.resume();
        return promise;
      }));
    },
  );

  await t.step("a source has so many places and no more", async () => {
    using first = await connect();
    using second = await connect();
    using third = await connect();
    using fourth = await connect();
    // Turned away at once, while the three before it are still waited for.
    equal(
      await Promise.race([
        readAll(fourth).then(() => "fourth"),
        ...[first, second, third].map((conn) => drain(conn).then(() => "patience")),
      ]),
      "fourth",
    );
    await Promise.all([first, second, third].map(readAll));
  });

  await t.step("there is room again afterwards", async () => {
    using http = new HttpClient(cluster.settings());
    const found = await http.request({
      method: "GET",
      path: "/webapi/ping",
      schema: FindResponseSchema,
    }, never());
    equal(found.kind, "value");
  });
});

/** The TCP ports that this process listens on. */
async function listeningPorts(): Promise<number[]> {
  const sockets = new Set<string>();
  for await (const { name } of Deno.readDir("/proc/self/fd")) {
    const target = await Deno.readLink(`/proc/self/fd/${name}`).catch(() => "");
    sockets.add(target.match(/^socket:\[(\d+)\]$/)?.[1] ?? "");
  }
  const tables = await Promise.all(
    ["tcp", "tcp6"].map((name) => Deno.readTextFile(`/proc/self/net/${name}`).catch(() => "")),
  );
  return tables.join("\n").split("\n").map((line) => line.trim().split(/\s+/))
    .filter(([, , , state, , , , , , inode = ""]) => state === "0A" && sockets.has(inode))
    .map(([, local = ""]) => parseInt(local.split(":")[1] ?? "", 16));
}

Deno.test("a cluster listens on its public port, and on no other", async () => {
  const before = await listeningPorts();
  await using cluster = await TestCluster.start([]);
  const opened = (await listeningPorts()).filter((port) => !before.includes(port));
  deepEqual(opened, [cluster.address.port]);
});

Deno.test("the control channel is for agents with a certificate", async (t) => {
  await using cluster = await TestCluster.start([]);
  const upgrade = async (settings: ServerSettings): Promise<string> => {
    const socket = await dialServer(settings, ["http/1.1"]);
    const { promise, resolve } = Promise.withResolvers<string>();
    let said = "";
    socket.on("data", (bytes) => said += String(bytes));
    socket.on("close", () => resolve(said));
    socket.on("end", () => socket.destroy());
    socket.write(
      `GET /v1/agent HTTP/1.1\r\nhost: ${PROXY_HOST}\r\nupgrade: websocket\r\nconnection: upgrade\r\n` +
        "sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    );
    return await promise;
  };
  await t.step("without: certificate-required", async () => {
    match(await upgrade(cluster.settings()), /^HTTP\/1\.1 401 .*certificate-required/s);
  });
  await t.step("a user's: refused", async () => {
    const login = await cluster.login();
    match(await upgrade(login.settings), /^HTTP\/1\.1 401 .*certificate-foreign/s);
  });
});
