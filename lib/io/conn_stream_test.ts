import { deepEqual, equal, ok } from "node:assert/strict";
import { ConnStream } from "./conn_stream.ts";
import { writeAll } from "./stream.ts";

async function pair(): Promise<[near: Deno.TcpConn, far: Deno.TcpConn]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return await Promise.all([
    Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port }),
    listener.accept(),
  ]);
}

async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  let text = "";
  for await (const bytes of stream) text += new TextDecoder().decode(bytes);
  return text;
}

function closed(stream: ConnStream): Promise<void> {
  return new Promise((resolve) => stream.once("close", () => resolve()));
}

Deno.test("ConnStream gives what was read before first, and keeps half-closes", async () => {
  const [near, far] = await pair();
  const stream = new ConnStream(near, new TextEncoder().encode("first "));
  const gone = closed(stream);
  await writeAll(far, new TextEncoder().encode("second"));
  await far.closeWrite();
  let text = "";
  stream.on("data", (bytes) => text += new TextDecoder().decode(bytes));
  await new Promise<void>((resolve) => stream.once("end", () => resolve()));
  equal(text, "first second");
  stream.end("answer");
  equal(await textOf(far.readable), "answer");
  await gone;
});

Deno.test("ConnStream reads no more than its reader takes", async () => {
  const [near, far] = await pair();
  const stream = new ConnStream(near);
  const gone = closed(stream);
  const writing = writeAll(far, new Uint8Array(64 * 1_048_576)).catch(() => "stopped");
  await new Promise<void>((resolve) => stream.once("readable", () => resolve()));
  ok(stream.readableLength <= 131_072);
  stream.destroy();
  await gone;
  far.close();
  equal(await writing, "stopped");
});

Deno.test("ConnStream ends when nothing moves, and not before", async () => {
  const [near, far] = await pair();
  const stream = new ConnStream(near);
  const events: string[] = [];
  stream.on("data", () => events.push("data"));
  const gone = closed(stream).then(() => events.push("closed"));
  await writeAll(far, Uint8Array.of(1));
  stream.endWhenIdle(10);
  await gone;
  deepEqual(events, ["data", "closed"]);
  far.close();
});

Deno.test("ConnStream closes when its connection breaks", async () => {
  const [near, far] = await pair();
  const stream = new ConnStream(near);
  stream.on("error", () => {});
  stream.resume();
  const gone = closed(stream);
  near.close();
  await gone;
  far.close();
});
