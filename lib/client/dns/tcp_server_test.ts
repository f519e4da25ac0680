import { equal } from "node:assert/strict";
import { parseIp } from "../../ip/mod.ts";
import { machine } from "../../../tests/machine.ts";
import { TcpServer, type TcpServerOptions } from "./tcp_server.ts";

const { sockets } = machine;

const PATIENT = { maxClients: 10, idleMs: 60_000, messageMs: 60_000 };

async function listen(
  options: Partial<TcpServerOptions>,
): Promise<{ port: number } & AsyncDisposable> {
  const fd = sockets.listenTcp({ address: parseIp("127.0.0.1"), port: 0 });
  const { port } = sockets.localEndpoint(fd);
  const echo: TcpServerOptions["serve"] = async (client) => {
    for (let bytes = await client.read(); bytes !== null; bytes = await client.read()) {
      await client.write(bytes);
    }
  };
  const server = await TcpServer.listen(sockets, fd, { ...PATIENT, serve: echo, ...options });
  return { port, [Symbol.asyncDispose]: () => server.close() };
}

function connect(port: number): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: "127.0.0.1", port });
}

async function ended(conn: Deno.TcpConn): Promise<boolean> {
  return await conn.read(new Uint8Array(1)).catch(() => null) === null;
}

async function echoes(conn: Deno.TcpConn): Promise<boolean> {
  await conn.write(Uint8Array.of(7));
  return await conn.read(new Uint8Array(1)) === 1;
}

Deno.test("TcpServer sends a silent client away", async () => {
  await using server = await listen({ idleMs: 20 });
  using conn = await connect(server.port);
  equal(await ended(conn), true);
});

Deno.test("TcpServer sends the client away that was silent longest when there are too many", async () => {
  await using server = await listen({ maxClients: 2 });
  using first = await connect(server.port);
  equal(await echoes(first), true);
  using second = await connect(server.port);
  equal(await echoes(second), true);
  equal(await echoes(first), true);
  using third = await connect(server.port);
  equal(await echoes(third), true);
  equal(await ended(second), true);
  equal(await echoes(first), true);
});

Deno.test("TcpServer sends a client away that never ends its message", async () => {
  await using server = await listen({
    messageMs: 20,
    serve: async (client) => {
      while (await client.read() !== null) client.setPartial(true);
    },
  });
  using conn = await connect(server.port);
  await conn.write(Uint8Array.of(0));
  equal(await ended(conn), true);
});

Deno.test("TcpServer.close() ends its clients", async () => {
  const server = await listen({});
  using conn = await connect(server.port);
  equal(await echoes(conn), true);
  await server[Symbol.asyncDispose]();
  equal(await ended(conn), true);
});
