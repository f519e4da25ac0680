import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { VnetError } from "../../error.ts";
import { encodeFrame, encodeJsonFrame, type FrameType } from "../../tunnel/mod.ts";
import { CarrierLost, ClientCarrier } from "./client.ts";
import type { FlowSummary, LiveFlow } from "./flow.ts";
import { type CarrierHost, serveCarrier } from "./server.ts";
import type { ByteStream } from "../stream.ts";

const NEVER = new AbortController().signal;
const OPEN = { flow_id: "f1", port: 80 };

/** One end of a wire in memory. */
class MemoryStream implements ByteStream {
  peer: MemoryStream = this;
  readonly #queue: (Uint8Array | null)[] = [];
  #wake: () => void = () => {};
  isClosed = false;

  async read(): Promise<Uint8Array | null> {
    while (this.#queue.length === 0) await new Promise<void>((resolve) => this.#wake = resolve);
    return this.#queue.shift() ?? null;
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.isClosed || this.peer.isClosed) return Promise.reject(new Error("closed"));
    this.peer.#push(bytes.slice());
    return Promise.resolve();
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#push(null);
    this.peer.#push(null);
  }

  #push(bytes: Uint8Array | null): void {
    this.#queue.push(bytes);
    this.#wake();
  }
}

function memoryPair(): [MemoryStream, MemoryStream] {
  const [a, b] = [new MemoryStream(), new MemoryStream()];
  a.peer = b;
  b.peer = a;
  return [a, b];
}

async function tcpPair(): Promise<[Deno.TcpConn, Deno.TcpConn]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return await Promise.all([
    Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port }),
    listener.accept(),
  ]);
}

async function readAll(conn: Deno.Conn): Promise<string> {
  let text = "";
  const buffer = new Uint8Array(1024);
  for (let count = await conn.read(buffer); count !== null; count = await conn.read(buffer)) {
    text += new TextDecoder().decode(buffer.subarray(0, count));
  }
  return text;
}

const text = (words: string) => new TextEncoder().encode(words);

/** Both ends of a carrier on a wire in memory; each flow's app is given to `apps`. */
function carrierPair() {
  const [clientWire, agentWire] = memoryPair();
  const apps: Deno.TcpConn[] = [];
  const summaries: FlowSummary[] = [];
  const arrived = [Promise.withResolvers<void>()];
  const host: CarrierHost = {
    open: async (open) => {
      if (open.flow_id === "no") throw new VnetError("target-refused", "the app refused");
      const [app, conn] = await tcpPair();
      apps.push(app);
      return {
        conn,
        started: () => arrived.at(-1)?.resolve(),
        ended: (summary) => void summaries.push(summary),
      };
    },
  };
  const serving = serveCarrier(agentWire, host, NEVER);
  const client = new ClientCarrier(clientWire, { app: "db", expiresMs: Infinity });
  return { client, serving, apps, summaries, clientWire, agentWire };
}

Deno.test("a carrier is idle again after both sides said fin, and after a flow that broke", async (t) => {
  const { client, serving, apps, summaries } = carrierPair();
  let idle = 0;
  client.watch({ idle: () => idle++, lost: () => {} });

  await t.step("fin both ways", async () => {
    const flow = await client.open(OPEN, NEVER);
    ok(client.isBusy);
    const [program, conn] = await tcpPair();
    const spliced = flow.splice(conn, NEVER);
    await program.write(text("question"));
    await program.closeWrite();
    const app = apps[0] as Deno.TcpConn;
    equal(await readAll(app), "question");
    await app.write(text("answer"));
    app.close();
    equal(await readAll(program), "answer");
    program.close();
    deepEqual(await spliced, { sentBytes: 8, receivedBytes: 6, reason: "done" });
    ok(!client.isBusy && client.isOpen);
    equal(idle, 1);
  });

  await t.step("the client gave up: the app loses its connection", async () => {
    const flow = await client.open(OPEN, NEVER);
    const [program, conn] = await tcpPair();
    const spliced = flow.splice(conn, NEVER);
    await program.write(text("half a que"));
    const app = apps[1] as Deno.TcpConn;
    await app.read(new Uint8Array(100));
    flow.abort();
    equal((await spliced).reason, "aborted");
    equal(await readAll(app), "");
    equal(await readAll(program), "");
    app.close();
    program.close();
  });

  await t.step("given up before anybody was connected to it", async () => {
    const flow = await client.open(OPEN, NEVER);
    flow.abort();
    const app = apps[2] as Deno.TcpConn;
    equal(await readAll(app), "");
    app.close();
  });

  await t.step("the agent's side may speak first", async () => {
    const flow = await client.open(OPEN, NEVER);
    const app = apps[3] as Deno.TcpConn;
    await app.write(text("220 ready"));
    app.close();
    const [program, conn] = await tcpPair();
    const spliced = flow.splice(conn, NEVER);
    equal(await readAll(program), "220 ready");
    program.close();
    equal((await spliced).reason, "done");
  });

  await t.step("a refusal leaves it idle too", async () => {
    await rejects(client.open({ flow_id: "no", port: 1 }, NEVER), { code: "target-refused" });
    ok(!client.isBusy && client.isOpen);
  });

  client.close();
  await serving;
  equal(idle, 5);
  deepEqual(summaries.map(({ reason }) => reason), ["done", "peer-reset", "peer-reset", "done"]);
});

Deno.test("a flow that is cut says why, to whoever can read it", async (t) => {
  const cases: [name: string, asks: { reasons?: boolean }, code: string | undefined][] = [
    ["asked to", { reasons: true }, "client-idle"],
    ["an older client", {}, undefined],
  ];
  for (const [name, asks, code] of cases) {
    await t.step(name, async () => {
      const [clientWire, agentWire] = memoryPair();
      const [app, conn] = await tcpPair();
      const live = Promise.withResolvers<LiveFlow>();
      const serving = serveCarrier(agentWire, {
        open: () => Promise.resolve({ conn, started: live.resolve, ended: () => {} }),
      }, NEVER);
      const client = new ClientCarrier(clientWire, { app: "db", expiresMs: Infinity });
      const flow = await client.open({ ...OPEN, ...asks }, NEVER);
      const [program, inner] = await tcpPair();
      const spliced = flow.splice(inner, NEVER);
      (await live.promise).abort("client-idle");
      const summary = await spliced;
      equal(summary.reason, "peer-reset");
      equal(summary.code, code);
      ok(client.isOpen && !client.isBusy, "the carrier is idle again");
      client.close();
      await serving;
      for (const end of [app, program]) end.close();
    });
  }
});

Deno.test("a carrier that is lost ends its flow at both ends", async () => {
  const { client, serving, apps, summaries, agentWire } = carrierPair();
  const flow = await client.open(OPEN, NEVER);
  const [program, conn] = await tcpPair();
  const spliced = flow.splice(conn, NEVER);
  agentWire.close();
  equal((await spliced).reason, "carrier-lost");
  await serving;
  deepEqual(summaries.map(({ reason }) => reason), ["carrier-lost"]);
  equal(await readAll(program), "");
  for (const end of [program, ...apps]) end.close();
  await rejects(client.open(OPEN, NEVER), CarrierLost);
});

Deno.test("ClientCarrier.open() says when the carrier was gone before the agent answered", async () => {
  const [wire, agent] = memoryPair();
  const client = new ClientCarrier(wire, { app: "db", expiresMs: Infinity });
  const opening = client.open(OPEN, NEVER);
  agent.close();
  await rejects(opening, CarrierLost);
});

Deno.test("ClientCarrier.open() gives up the carrier when the caller gives up", async () => {
  const [wire] = memoryPair();
  const client = new ClientCarrier(wire, { app: "db", expiresMs: Infinity });
  const stop = new AbortController();
  const opening = client.open(OPEN, stop.signal);
  stop.abort(new Error("enough"));
  await rejects(opening, /enough/);
  ok(!client.isOpen && wire.isClosed);
});

Deno.test("an agent closes a carrier whose client does not keep to the protocol", async (t) => {
  const cases: [name: string, frames: readonly Uint8Array[]][] = [
    ["data before open", [encodeFrame("data", Uint8Array.of(1))]],
    ["fin before open", [encodeFrame("fin")]],
    ["ok is the agent's to say", [encodeFrame("ok")]],
    ["open that cannot be read", [encodeFrame("open", text("{}"))]],
    ["two opens", [encodeJsonFrame("open", OPEN), encodeJsonFrame("open", OPEN)]],
    ["not a frame", [Uint8Array.of(99, 0, 0, 0)]],
    ["a reset with nothing to reset", [encodeFrame("reset")]],
  ];
  for (const [name, frames] of cases) {
    await t.step(name, async () => {
      const [wire, agentWire] = memoryPair();
      const open = (_open: unknown, signal: AbortSignal) =>
        new Promise<never>((_resolve, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason))
        );
      const serving = serveCarrier(agentWire, { open }, NEVER);
      for (const frame of frames) await wire.write(frame);
      await serving;
      ok(agentWire.isClosed);
    });
  }
});

Deno.test("a client closes a carrier whose agent does not keep to the protocol", async (t) => {
  const cases: [name: string, type: FrameType, opening: boolean][] = [
    ["ok without open", "ok", false],
    ["fin without a flow", "fin", false],
    ["reset without a flow", "reset", false],
    ["fin instead of ok", "fin", true],
  ];
  for (const [name, type, opening] of cases) {
    await t.step(name, async () => {
      const [wire, agent] = memoryPair();
      const client = new ClientCarrier(wire, { app: "db", expiresMs: Infinity });
      const lost = Promise.withResolvers<void>();
      client.watch({ idle: () => {}, lost: lost.resolve });
      const waiting = opening ? client.open(OPEN, NEVER) : Promise.reject(new Error("none"));
      waiting.catch(() => {});
      await agent.write(encodeFrame(type));
      await lost.promise;
      ok(wire.isClosed);
      if (opening) await rejects(waiting, { code: "protocol-violated" });
    });
  }
});

Deno.test("pings are answered by both ends, and counted until they are", async () => {
  const { client, serving, clientWire } = carrierPair();
  client.ping();
  client.ping();
  equal(client.unanswered, 2);
  // A refusal comes after the pongs: when it is here, so are they.
  await rejects(client.open({ flow_id: "no", port: 1 }, NEVER), { code: "target-refused" });
  equal(client.unanswered, 0);
  client.close();
  await serving;
  ok(clientWire.isClosed);
});
