import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { Fixture } from "../../../../tests/doubles/auth_service.ts";
import { CompanyCa } from "../../../../tests/doubles/company_ca.ts";
import { configureLog } from "../../../log.ts";
import { pause } from "../../../wait.ts";
import type { AuditRecord, AuditSink } from "../types.ts";
import { Changes } from "../changes.ts";
import { isWanted } from "./filter.ts";
import { AuditForwarder } from "./forward.ts";
import { syslogMessage, SyslogSink } from "./syslog.ts";
import { WebhookSink } from "./webhook.ts";

const RECORD: AuditRecord = {
  seq: 7,
  time: "2026-01-31T12:00:00.000Z",
  cluster_name: "c.example",
  event: "login.failed",
  user: "al\u001b[2Jice\u202e\u00e9",
};

/** A sink in memory that refuses as often as it is told to. */
class MemorySink implements AuditSink {
  readonly name = "memory";
  readonly taken: number[] = [];
  fails = 0;
  #wake = () => {};

  send(records: readonly AuditRecord[]): Promise<void> {
    if (this.fails-- > 0) return Promise.reject(new Error("not now"));
    this.taken.push(...records.map(({ seq }) => seq));
    this.#wake();
    return Promise.resolve();
  }

  async until(seq: number): Promise<void> {
    while (!this.taken.includes(seq)) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  close(): void {}
}

Deno.test("every event is taken on, in order, over refusals and restarts", async () => {
  const dataDir = await Deno.makeTempDir();
  const write = async (f: Fixture, count: number) => {
    for (let i = 0; i < count; i++) await f.auth.audit.write({ event: "logout" });
  };
  const plain = await Fixture.open({ dataDir });
  await write(plain, 3);
  await plain.auth.close();

  const sink = new MemorySink();
  sink.fails = 1;
  const first = await Fixture.open({ dataDir, auditSinks: [sink] });
  await write(first, 2);
  await sink.until(5);
  deepEqual(sink.taken, [4, 5], "a new sink begins with what happens from here on");
  await first.auth.close();

  const away = await Fixture.open({ dataDir });
  await write(away, 300);
  await away.auth.close();

  const again = new MemorySink();
  const second = await Fixture.open({ dataDir, auditSinks: [again] });
  await again.until(305);
  deepEqual(again.taken, Array.from({ length: 300 }, (_, i) => i + 6));
  await second[Symbol.asyncDispose]();
});

Deno.test("how many events were lost is told once, when the next are taken on", async () => {
  const told: string[] = [];
  await configureLog({ level: "error", form: "json", write: (line) => void told.push(line) });
  const sink = new MemorySink();
  sink.fails = 2;
  const kept = new Map([["audit_sink memory", "3"]]);
  const body = JSON.stringify({ time: RECORD.time, cluster_name: "c", event: "logout" });
  const store = {
    settings: {
      get: (key: string) => Promise.resolve(kept.get(key) ?? null),
      set: (key: string, value: string) => Promise.resolve(void kept.set(key, value)),
      setOnce: () => Promise.reject(new Error("known already")),
    },
    events: {
      after: (seq: number) => Promise.resolve(seq < 10 ? [{ seq: 10, body }] : []),
      newest: () => Promise.resolve([]),
      append: () => Promise.reject(new Error("nobody writes")),
    },
  };
  const forwarder = new AuditForwarder({ sink, store, events: new Changes() });
  try {
    await sink.until(10);
  } finally {
    await forwarder.close();
    await configureLog({ level: "error", form: "text", write: () => {} });
  }
  deepEqual(told.map((line) => JSON.parse(line).properties), [{ sink: "memory", lost: 6 }]);
});

Deno.test("syslogMessage() is RFC 5424, in ASCII that orders no terminal about", () => {
  const message = syslogMessage(RECORD);
  match(message, /^<108>1 2026-01-31T12:00:00\.000Z c\.example vnet - login\.failed - \{/);
  ok(/^[\x20-\x7e]*$/.test(message));
  deepEqual(JSON.parse(message.slice(message.indexOf("{"))), RECORD);
  match(syslogMessage({ ...RECORD, event: "login.ok" }), /^<109>1 /);
});

Deno.test("SyslogSink sends by UDP, by TCP with lengths, and to a socket of the machine", async (t) => {
  const never = new AbortController().signal;
  const wanted = syslogMessage(RECORD);
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  await t.step("UDP", async () => {
    const server = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    const { port } = server.addr as Deno.NetAddr;
    const sink = new SyslogSink({ text: "udp://x", kind: "udp", host: "127.0.0.1", port });
    await sink.send([RECORD], never);
    equal(text((await server.receive())[0]), wanted);
    sink.close();
    server.close();
  });
  await t.step("a socket", async () => {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/log`;
    const server = Deno.listenDatagram({ transport: "unixpacket", path });
    const sink = new SyslogSink({ text: "unix:///x", kind: "unix", path });
    await sink.send([RECORD], never);
    equal(text((await server.receive())[0]), wanted);
    sink.close();
    server.close();
    await Deno.remove(folder, { recursive: true });
  });
  await t.step("TCP, and again when the server has closed it", async () => {
    using server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = server.addr;
    const sink = new SyslogSink({ text: "tcp://x", kind: "tcp", host: "127.0.0.1", port });
    for (let time = 0; time < 2; time++) {
      const [conn] = await Promise.all([server.accept(), sink.send([RECORD], never)]);
      const frame = `${wanted.length} ${wanted}`;
      const buffer = new Uint8Array(frame.length);
      for (let at = 0; at < buffer.length;) at += await conn.read(buffer.subarray(at)) ?? 0;
      equal(text(buffer), frame);
      equal(sink.isOpen, true);
      await conn.write(new TextEncoder().encode("what a server says is let fall"));
      conn.close();
      const limit = AbortSignal.timeout(30_000);
      while (sink.isOpen && !limit.aborted) await pause(1, limit);
      equal(sink.isOpen, false);
    }
    sink.close();
  });
});

Deno.test("WebhookSink posts lines, with its secret, to a server that is the right one", async (t) => {
  const folder = await Deno.makeTempDir();
  const never = new AbortController().signal;
  const [ca, other] = [await CompanyCa.create(), await CompanyCa.create("CN=Other")];
  for (const [name, { certificatePem }] of [["ca", ca], ["other", other]] as const) {
    await Deno.writeTextFile(`${folder}/${name}.pem`, certificatePem);
  }
  await Deno.writeTextFile(`${folder}/secret`, "s3cret\n");
  const { certificatePem, privateKeyPem } = await ca.issue(["localhost"]);
  const got: { readonly authorization: string | null; readonly lines: unknown[] }[] = [];
  let status = 204;
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    cert: certificatePem,
    key: privateKeyPem,
    onListen: () => {},
  }, async (request) => {
    const lines = (await request.text()).trimEnd().split("\n").map((line) => JSON.parse(line));
    got.push({ authorization: request.headers.get("authorization"), lines });
    return status === 302
      ? Response.redirect("https://localhost/elsewhere", 302)
      : new Response(null, { status });
  });
  const sinkOf = (caName: string) =>
    new WebhookSink({
      url: new URL(`https://localhost:${server.addr.port}/in?key=hidden`),
      secretFile: `${folder}/secret`,
      caFile: `${folder}/${caName}.pem`,
    });
  const fails = async (sink: WebhookSink) => {
    const error = await sink.send([RECORD], never).then(() => null, (thrown) => thrown as Error);
    ok(error !== null);
    sink.close();
    return error;
  };
  await t.step("as it should", async () => {
    const sink = sinkOf("ca");
    equal(sink.name, `https://localhost:${server.addr.port}/in`, "the query is not told");
    await sink.send([RECORD, { ...RECORD, seq: 8 }], never);
    sink.close();
    deepEqual(got, [{ authorization: "Bearer s3cret", lines: [RECORD, { ...RECORD, seq: 8 }] }]);
  });
  await t.step("another authority: nothing is posted", async () => {
    await fails(sinkOf("other"));
    equal(got.length, 1);
  });
  await t.step(
    "what is in ca_file and secret_file now counts, not what was at the start",
    async () => {
      const sink = sinkOf("changing");
      await Deno.copyFile(`${folder}/other.pem`, `${folder}/changing.pem`);
      await rejects(sink.send([RECORD], never));
      await Deno.copyFile(`${folder}/ca.pem`, `${folder}/changing.pem`);
      await Deno.writeTextFile(`${folder}/secret`, "another\n");
      await sink.send([RECORD], never);
      sink.close();
      deepEqual(got.splice(1), [{ authorization: "Bearer another", lines: [RECORD] }]);
    },
  );
  for (const [name, content] of [["an empty", "\nx"], ["no", null]] as const) {
    await t.step(`${name} secret_file: nothing is posted`, async () => {
      if (content === null) await Deno.remove(`${folder}/secret`);
      else await Deno.writeTextFile(`${folder}/secret`, content);
      ok((await fails(sinkOf("ca"))).message.includes(`${folder}/secret`));
      equal(got.length, 1);
    });
  }
  await Deno.writeTextFile(`${folder}/secret`, "s3cret");
  for (const bad of [500, 403, 302]) {
    await t.step(`status ${bad} is no`, async () => {
      status = bad;
      await fails(sinkOf("ca"));
    });
  }
  await server.shutdown();
  await Deno.remove(folder, { recursive: true });
});

Deno.test("the newest events that are wanted are found, however far back", async (t) => {
  await using f = await Fixture.open();
  await f.auth.audit.write({ event: "login.ok", user: "alice" });
  f.nowMs += 60_000;
  await Promise.all(Array.from({ length: 1200 }, () => f.auth.audit.write({ event: "logout" })));
  await f.auth.audit.write({ event: "login.failed", user: "bob" });
  await f.auth.audit.write({ event: "app.session.start", user: "alice", app: "db" });
  const ask = async (filter: Record<string, unknown>, limit = 10) => {
    const request = { wait_seconds: 0, limit, ...filter };
    const { events } = await f.auth.admin.readAudit(request, new AbortController().signal);
    return events.map(({ seq }) => seq);
  };
  const cases: [name: string, filter: Record<string, unknown>, seqs: number[]][] = [
    ["a user", { user: "alice" }, [1, 1203]],
    ["an app", { app: "db" }, [1203]],
    ["an event", { event: "login.ok" }, [1]],
    ["events that begin so", { event: "login.*" }, [1, 1202]],
    ["since", { user: "alice", since: new Date(f.nowMs).toISOString() }, [1203]],
    ["none", { user: "carol" }, []],
  ];
  for (const [name, filter, seqs] of cases) {
    await t.step(name, async () => deepEqual(await ask(filter), seqs));
  }
  await t.step("no more than asked for: the newest", async () => {
    deepEqual(await ask({ user: "alice" }, 1), [1203]);
    deepEqual(await ask({}, 2), [1202, 1203]);
  });
  await t.step("the same, event by event", () => {
    equal(isWanted({ ...RECORD, event: "login.ok" }, { event: "login.*" }), true);
    equal(isWanted(RECORD, { user: "alice" }), false);
    equal(isWanted(RECORD, { since: "2026-01-31T12:00:00.001Z" }), false);
  });
});
