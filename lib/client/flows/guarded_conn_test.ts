import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import fc from "fast-check";
import type { FlowConn } from "../../io/mod.ts";
import { parseIp } from "../../ip/mod.ts";
import { GuardedConn } from "./guarded_conn.ts";

const NAMES = { names: new Set(["web.vnet.example.com"]), address: parseIp("100.100.3.4") };
const GOOD = "GET / HTTP/1.1\r\nHost: web.vnet.example.com\r\n\r\n";
const EVIL = "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n";

const post = (field: string) => GOOD.replace("GET", "POST").replace(/\r\n$/, `${field}\r\n\r\n`);

/** A connection in memory: what its program sends is pushed, what it gets is kept. */
class MemoryConn implements FlowConn {
  readonly got: number[] = [];
  readonly events: string[] = [];
  readonly #sent: Uint8Array[] = [];
  #ended = false;
  #wake = Promise.withResolvers<void>();

  send(text: string | Uint8Array): this {
    this.#sent.push(typeof text === "string" ? latin1(text) : text);
    this.#wake.resolve();
    return this;
  }

  end(): this {
    this.#ended = true;
    this.#wake.resolve();
    return this;
  }

  get text(): string {
    return String.fromCharCode(...this.got);
  }

  async read(into: Uint8Array): Promise<number | null> {
    while (this.#sent.length === 0) {
      if (this.#ended) return null;
      this.#wake = Promise.withResolvers();
      await this.#wake.promise;
    }
    const piece = this.#sent[0]!;
    const count = Math.min(piece.length, into.length);
    into.set(piece.subarray(0, count));
    if (count === piece.length) this.#sent.shift();
    else this.#sent[0] = piece.subarray(count);
    return count;
  }

  write(bytes: Uint8Array): Promise<number> {
    this.got.push(...bytes);
    return Promise.resolve(bytes.length);
  }

  closeWrite(): Promise<void> {
    this.events.push("closeWrite");
    return Promise.resolve();
  }

  close(): void {
    this.events.push("close");
    this.end();
  }
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

/** Reads to the end, in reads of at most this size. */
async function readAll(conn: FlowConn, sizeBytes = 4091): Promise<string> {
  let text = "";
  const into = new Uint8Array(sizeBytes);
  for (;;) {
    const count = await conn.read(into);
    if (count === null) return text;
    text += String.fromCharCode(...into.subarray(0, count));
  }
}

Deno.test("GuardedConn passes on what the app may see, unchanged", async (t) => {
  const cases: [name: string, sent: string[]][] = [
    ["a request for the app", [GOOD]],
    ["a request in pieces, then more", ["GE", "T / HTTP/1.1\r\nHo", GOOD.slice(18), "body", GOOD]],
    ["a request with a long head", [`${GOOD.slice(0, -2)}Cookie: ${"x".repeat(40_000)}\r\n\r\n`]],
    ["another protocol", ["*1\r\n$4\r\nPING\r\n", "*1\r\n$4\r\nPING\r\n"]],
    ["much of another protocol", ["\x16\x03\x01".repeat(20_000), "x"]],
    ["nothing at all", []],
    ["half a word, then the end", ["GE"]],
    ["requests one after the other", [GOOD, GOOD + GOOD, GOOD.slice(0, 7), GOOD.slice(7)]],
    ["a long body", [post(`Content-Length: 300000`), "x".repeat(300_000), GOOD]],
    ["a body that looks like a request", [post(`Content-Length: ${EVIL.length}`) + EVIL, GOOD]],
    ["chunks", [
      post("Transfer-Encoding: chunked"),
      `${EVIL.length.toString(16)}\r\n${EVIL}\r\n`,
      `186a0\r\n${"y".repeat(100_000)}\r\n0\r\n\r\n`,
      GOOD,
    ]],
    ["an upgrade", [GOOD.replace("\r\n\r\n", "\r\nUpgrade: tcp\r\n\r\n"), EVIL]],
  ];
  for (const [name, sent] of cases) {
    for (const sizeBytes of [7, 4091, 65_536]) {
      await t.step(`${name}, read ${sizeBytes} at a time`, async () => {
        const inner = new MemoryConn();
        for (const piece of sent) inner.send(piece);
        const conn = new GuardedConn(inner.end(), NAMES);
        equal(await readAll(conn, sizeBytes), sent.join(""));
        equal(conn.refusal, null);
        conn.close();
      });
    }
  }
});

Deno.test("GuardedConn answers a request for a foreign host, of which the app sees nothing", async (t) => {
  const cases: [name: string, sent: string[], host: string | null][] = [
    ["at once", [EVIL], "evil.example"],
    [
      "with a body",
      [`POST / HTTP/1.1\r\nHost: evil.example\r\n\r\n${"x".repeat(100_000)}`],
      "evil.example",
    ],
    ["in pieces", [...EVIL], "evil.example"],
    ["with an endless target", [`GET /${"x".repeat(30_000)}`], null],
    ["that ends before its host", ["GET / HTTP/1.1\r\n"], null],
  ];
  for (const [name, sent, host] of cases) {
    await t.step(name, async () => {
      const inner = new MemoryConn();
      for (const piece of sent) inner.send(piece);
      const conn = new GuardedConn(inner.end(), NAMES);
      await rejects(readAll(conn), { name: "HostRefused" });
      deepEqual(conn.refusal?.host, host);
      match(inner.text, /^HTTP\/1\.1 421 Misdirected Request\r\n/);
      deepEqual(inner.events, ["closeWrite"]);
      const before = inner.got.length;
      equal(await conn.write(latin1("late words of the app")), 21);
      equal(inner.got.length, before);
      conn.close();
    });
  }
});

Deno.test("GuardedConn ends the connection at a later request for a foreign host", async (t) => {
  const cases: [name: string, pieces: string[], host: string | null][] = [
    ["after an answer", [GOOD, EVIL], "evil.example"],
    ["at once", [GOOD + EVIL], "evil.example"],
    ["in pieces", [...(GOOD + EVIL)], "evil.example"],
    ["after a body", [post("Content-Length: 5") + "he", `llo${EVIL}`], "evil.example"],
    ["that never says its host", [GOOD, "GET / HTTP/1.1\r\n"], null],
  ];
  for (const [name, pieces, host] of cases) {
    await t.step(name, async () => {
      const inner = new MemoryConn();
      for (const piece of pieces) inner.send(piece);
      const conn = new GuardedConn(inner.end(), NAMES, { lingerMs: 60_000 });
      let passed = "";
      const reading = (async () => {
        const into = new Uint8Array(50);
        for (;;) {
          const count = await conn.read(into);
          if (count === null) return;
          passed += String.fromCharCode(...into.subarray(0, count));
        }
      })();
      const refused = rejects(reading, { name: "HostRefused" });
      while (conn.refusal === null) await new Promise((resolve) => setTimeout(resolve, 0));
      // What the app still has to say to the request before arrives; no word of ours is among it.
      equal(await conn.write(latin1("HTTP/1.1 200 OK\r\n\r\n")), 19);
      await conn.closeWrite();
      await refused;
      equal(inner.text, "HTTP/1.1 200 OK\r\n\r\n");
      deepEqual(inner.events, ["closeWrite"]);
      equal(conn.refusal.host, host);
      equal(pieces.join("").slice(0, passed.length), passed);
      equal(passed.includes("evil"), false);
      conn.close();
    });
  }
  await t.step("soon after the app has fallen silent", async () => {
    const inner = new MemoryConn().send(GOOD + EVIL); // and its program waits for an answer
    const conn = new GuardedConn(inner, NAMES, { lingerMs: 1 });
    await rejects(readAll(conn), { name: "HostRefused" });
    equal(inner.text, "");
    conn.close();
  });
});

Deno.test("GuardedConn lets the app speak first", async () => {
  const inner = new MemoryConn();
  const conn = new GuardedConn(inner, NAMES);
  const reading = conn.read(new Uint8Array(10));
  await conn.write(latin1("220 hello\r\n"));
  equal(inner.text, "220 hello\r\n");
  inner.send("EHLO x\r\n");
  equal(await reading, 8);
  conn.close();
});

Deno.test("GuardedConn holds half a request no longer than its deadline", async (t) => {
  await t.step("what may be something else goes on, and so does what follows", async () => {
    const inner = new MemoryConn().send("PO");
    const conn = new GuardedConn(inner, NAMES, { uncertainMs: 1 });
    const into = new Uint8Array(100);
    equal(await conn.read(into), 2);
    inner.send("KE 1\r\n").end();
    equal(String.fromCharCode(...into.subarray(0, 2)) + await readAll(conn), "POKE 1\r\n");
    conn.close();
  });
  await t.step("what must be HTTP is refused", async () => {
    const inner = new MemoryConn().send("GET / HTTP/1.1\r\nAccept: */*\r\n");
    const conn = new GuardedConn(inner, NAMES, { heldMs: 1 });
    const reading = conn.read(new Uint8Array(100));
    const refused = rejects(reading, { name: "HostRefused" });
    while (inner.got.length === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    inner.end();
    await refused;
    match(inner.text, /^HTTP\/1\.1 421 /);
    conn.close();
  });
  await t.step("an idle connection is left alone", async () => {
    const inner = new MemoryConn();
    const conn = new GuardedConn(inner, NAMES, { heldMs: 0 });
    const reading = readAll(conn);
    await new Promise((resolve) => setTimeout(resolve, 5));
    inner.send(GOOD).end();
    equal(await reading, GOOD);
    conn.close();
  });
});

Deno.test("GuardedConn changes no byte of any stream it lets through", async () => {
  const pieces = fc.array(
    fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 6_000 }),
      fc.constantFrom(GOOD, "GET ", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\0").map(latin1),
    ),
    { maxLength: 8 },
  );
  await fc.assert(
    fc.asyncProperty(pieces, fc.integer({ min: 1, max: 9_000 }), async (sent, size) => {
      const inner = new MemoryConn();
      for (const piece of sent) inner.send(piece);
      const conn = new GuardedConn(inner.end(), NAMES);
      const whole = sent.map((piece) => String.fromCharCode(...piece)).join("");
      const read = await readAll(conn, size).catch(() => null);
      if (read === null) ok(conn.refusal !== null);
      else equal(read, whole);
      conn.close();
    }),
    { numRuns: 60 },
  );
});
