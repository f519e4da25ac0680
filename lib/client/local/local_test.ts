/** Local ports and the local proxy on a cluster in memory: by the daemon, and without one. */
import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { DB, UID, until, WEB, withDaemon } from "../../../tests/doubles/memory_client.ts";
import { memoryApp, MemoryCluster } from "../../../tests/doubles/memory_cluster.ts";
import { VnetError } from "../../error.ts";
import { parseEndpoint } from "../../ip/mod.ts";
import { ProfileStore } from "../cluster/profile.ts";
import type { Paths } from "../paths.ts";
import { AnyApps } from "./any_apps.ts";
import { carryGuarded } from "./forward.ts";
import { LocalPort } from "./local_port.ts";
import { serveProxyConn } from "./proxy_conn.ts";

const never = new AbortController().signal;
const MANY = memoryApp("many", { ports: [{ first: 80, last: 81 }] });

/** A cluster, a folder with a login to it, and no daemon. */
async function alone(
  test: (
    world: { way: AnyApps; cluster: MemoryCluster; paths: Paths; clock: { nowMs: number } },
  ) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir();
  const clock = { nowMs: Date.UTC(2026, 0, 1) };
  const nowMs = () => clock.nowMs;
  const cluster = new MemoryCluster({ nowMs, apps: [DB, WEB, MANY] });
  const paths = {
    configDir: `${dir}/config`,
    stateDir: dir,
    runtimeDir: dir,
    controlSocket: `${dir}/control.sock`,
    appSocket: `${dir}/apps.sock`,
  };
  await new ProfileStore(paths.configDir).save(cluster.profile());
  const way = new AnyApps({ paths, nowMs, drivers: [cluster] });
  try {
    await test({ way, cluster, paths, clock });
  } finally {
    await way[Symbol.asyncDispose]();
    await Deno.remove(dir, { recursive: true });
  }
}

/** Says something to a connection, closes its half, and hears the rest. */
async function talk(conn: Deno.Conn, bytes: Uint8Array | string): Promise<string> {
  const sent = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
  await conn.write(sent);
  await conn.closeWrite();
  return await hear(conn);
}

async function hear(conn: Deno.Conn): Promise<string> {
  let text = "";
  const buffer = new Uint8Array(4096);
  for (;;) {
    const count = await conn.read(buffer).catch(() => null);
    if (count === null) break;
    text += new TextDecoder("latin1").decode(buffer.subarray(0, count));
  }
  conn.close();
  return text;
}

function openPort(
  onConn: (conn: Deno.TcpConn, signal: AbortSignal) => Promise<void>,
  { uid = UID as number | null, failures = [] as unknown[] } = {},
): LocalPort {
  return LocalPort.open({
    endpoint: parseEndpoint("127.0.0.1:0"),
    policy: { ownerUid: UID, sharedWith: new Set(), containers: false },
    sockets: { ownerOf: () => uid === null ? null : { uid, inode: 1 } },
    nowMs: () => 0,
    onConn,
    onFailure: (_, thrown) => failures.push(thrown),
  });
}

const dial = (port: LocalPort) => Deno.connect({ hostname: "127.0.0.1", port: port.endpoint.port });

const code = (thrown: unknown) => thrown instanceof VnetError ? thrown.code : String(thrown);

Deno.test("AnyApps opens apps by the logins on disk where no daemon runs", () =>
  alone(async ({ way, cluster, clock, paths }) => {
    const facts = await way.find({ name: "db", cluster: null }, never);
    deepEqual([facts.app, facts.cluster, facts.ports], ["db", "memory.test", DB.ports]);
    await using port = openPort(async (conn, signal) => {
      const opened = await way.open({ name: "db.memory.test", cluster: null }, null, signal);
      equal(opened.port, 5432);
      await carryGuarded(conn, opened, parseEndpoint("127.0.0.1:0").address, signal);
    });
    equal(await talk(await dial(port), "hello"), "HELLO");
    const rows: [name: string, port: number | null, code: string][] = [
      ["nothing", null, "app-unknown"],
      ["db", 1, "port-not-allowed"],
      ["many", null, "port-needed"],
    ];
    for (const [name, wanted, expected] of rows) {
      await rejects(way.open({ name, cluster: null }, wanted, never), { code: expected }, name);
    }
    cluster.refusals.set("web", "access-denied");
    await rejects(way.open({ name: "web", cluster: null }, 80, never), { code: "access-denied" });
    // The login ends, and another is made: it is taken up.
    clock.nowMs += cluster.lifeMs;
    await rejects(way.open({ name: "db", cluster: null }, null, never), { code: "login-expired" });
    await new ProfileStore(paths.configDir).save(cluster.profile());
    clock.nowMs += 2_000;
    (await way.open({ name: "db", cluster: null }, null, never)).flow.abort();
  }));

Deno.test("AnyApps says that there is no login", () =>
  alone(async ({ way, paths }) => {
    await Deno.remove(paths.configDir, { recursive: true });
    await rejects(way.find({ name: "db", cluster: null }, never), { code: "login-needed" });
  }));

Deno.test("AnyApps goes by the daemon while one runs, and it sees the connections", () =>
  withDaemon({ apps: [DB, WEB, MANY] }, async ({ daemon, cluster, options }) => {
    const { paths, nowMs } = options;
    await using way = new AnyApps({ paths, nowMs, drivers: [] }); // could do nothing by itself
    deepEqual((await way.find({ name: "many", cluster: null }, never)).ports, MANY.ports);
    await using port = openPort(async (conn, signal) => {
      const opened = await way.open({ name: "db", cluster: null }, null, signal);
      await opened.flow.splice(conn, signal);
    });
    const conn = await dial(port);
    await conn.write(new TextEncoder().encode("hello"));
    await until(() => daemon.status().connections.active === 1);
    deepEqual(
      daemon.status().connections.flows.map(({ name, port }) => [name, port]),
      [["db", 5432]],
    );
    equal(await talk(conn, ""), "HELLO");
    await until(() => daemon.status().connections.active === 0);
    equal(daemon.status().connections.sent_bytes, 5);

    for (const [name, expected] of [["nothing", "app-unknown"], ["many", "port-needed"]]) {
      await rejects(way.open({ name: name!, cluster: null }, null, never), (thrown) => {
        ok(thrown instanceof VnetError && thrown.hint !== null);
        equal(thrown.code, expected);
        return true;
      });
    }
    cluster.refusals.set("web", "access-denied");
    await rejects(way.open({ name: "web", cluster: null }, 80, never), { code: "access-denied" });
    equal(daemon.status().connections.recent_failures[0]?.code, "access-denied");
    equal((await Deno.stat(paths.appSocket)).mode! & 0o777, 0o600);
  }));

Deno.test("the daemon's socket for apps refuses what it does not understand, and goes on", () =>
  withDaemon({}, async ({ options }) => {
    const path = options.paths.appSocket;
    const connect = () => Deno.connect({ transport: "unix", path });
    equal(await talk(await connect(), "GET / HTTP/1.1\r\n\r\n"), "");
    equal(await talk(await connect(), "x".repeat(300_000)), "");
    match(
      await talk(await connect(), '{"name":"db","cluster":null,"port":null,"open":false}\n'),
      /"app":"db"/,
    );
  }));

Deno.test("a local port refuses other users' programs, and web pages", async () => {
  await alone(async ({ way }) => {
    const failures: unknown[] = [];
    const onConn = async (conn: Deno.TcpConn, signal: AbortSignal) => {
      const opened = await way.open({ name: "web", cluster: null }, null, signal);
      await carryGuarded(conn, opened, parseEndpoint("127.0.0.1:0").address, signal);
    };
    for (const uid of [UID + 1, null]) {
      await using port = openPort(onConn, { uid });
      equal(await talk(await dial(port), "hello"), "");
    }
    await using port = openPort(onConn, { failures });
    const get = async (host: string) =>
      (await talk(await dial(port), `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).split("\r\n")[0];
    equal(await get("web.memory.test"), "GET / HTTP/1.1"); // the app answers in capitals
    equal(await get(`localhost:${port.endpoint.port}`), "GET / HTTP/1.1");
    equal(await get(`127.0.0.1:${port.endpoint.port}`), "GET / HTTP/1.1");
    equal(await get("evil.example"), "HTTP/1.1 421 Misdirected Request");
    await until(() => failures.length > 0);
    deepEqual(failures.map(code), ["host-refused"]);
  });
});

Deno.test("LocalPort listens on the loopback only", () => {
  for (const text of ["0.0.0.0:0", "192.0.2.1:80", "[::]:0"]) {
    let thrown: unknown = null;
    try {
      LocalPort.open({
        endpoint: parseEndpoint(text),
        policy: { ownerUid: UID, sharedWith: new Set(), containers: false },
        sockets: { ownerOf: () => null },
        nowMs: () => 0,
        onConn: () => Promise.resolve(),
        onFailure: () => {},
      });
    } catch (error) {
      thrown = error;
    }
    equal(code(thrown), "usage", text);
  }
});

const socks = (name: string, port: number) => [
  ...[5, 1, 0, 3, name.length, ...new TextEncoder().encode(name)],
  ...[port >> 8, port & 0xff],
];

Deno.test("the local proxy speaks SOCKS5 and HTTP CONNECT", async (t) => {
  await alone(async ({ way, cluster }) => {
    const failures: unknown[] = [];
    await using port = openPort((conn, signal) => serveProxyConn(conn, way, signal), { failures });
    const say = async (bytes: number[] | string) => {
      const sent = typeof bytes === "string" ? bytes : Uint8Array.from(bytes);
      return await talk(await dial(port), sent);
    };
    await t.step("SOCKS5", async () => {
      equal(
        await say([
          5,
          1,
          0,
          ...socks("db.memory.test", 5432),
          ...new TextEncoder().encode("hello"),
        ]),
        "\x05\x00\x05\x00\x00\x01\0\0\0\0\0\0HELLO",
      );
    });
    await t.step("HTTP CONNECT", async () => {
      equal(
        await say("CONNECT db.memory.test:5432 HTTP/1.1\r\nHost: x\r\n\r\nhello"),
        "HTTP/1.1 200 Connection established\r\n\r\nHELLO",
      );
    });
    await t.step("says what it does not do", async () => {
      equal((await say([4, 1, 0, 80, 127, 0, 0, 1, 0])).slice(0, 2), "\0\x5b");
      equal(await say([5, 1, 2]), "\x05\xff");
      match(await say("GET http://db.memory.test/ HTTP/1.1\r\n\r\n"), /^HTTP\/1\.1 501 .*socks5h/s);
      match(await say("\x16\x03\x01\r\n\r\n"), /^HTTP\/1\.1 400 /);
      equal(failures.length, 0);
    });
    await t.step("says why it connects to nothing", async () => {
      cluster.refusals.set("web", "access-denied");
      match(
        await say("CONNECT web.memory.test:80 HTTP/1.1\r\n\r\n"),
        /^HTTP\/1\.1 403 .*\[access-denied\]/s,
      );
      match(
        await say("CONNECT example.com:443 HTTP/1.1\r\n\r\n"),
        /^HTTP\/1\.1 404 .*app-unknown/s,
      );
      match(await say("CONNECT 192.0.2.1:443 HTTP/1.1\r\n\r\n"), /^HTTP\/1\.1 502 .*socks5h/s);
      equal((await say([5, 1, 0, ...socks("web.memory.test", 80)])).slice(2, 4), "\x05\x02");
      deepEqual(failures.map(code), [
        "access-denied",
        "app-unknown",
        "name-needed",
        "access-denied",
      ]);
    });
  });
});
