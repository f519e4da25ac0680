import { deepEqual, equal } from "node:assert/strict";
import { Buffer } from "node:buffer";
import dnsPacket from "dns-packet";
import { NameTable, parseDomainName } from "../dns/mod.ts";
import { type Endpoint, parseIp, parseIpv4, parseIpv6 } from "../ip/mod.ts";
import { DatagramBatch, loadShim, UdpSocket } from "../os/mod.ts";
import { DnsServer } from "./dns_server.ts";
import type { HelperLink } from "./helper_link.ts";

// Loaded once for the process, outside of any test.
loadShim();

const TABLE = new NameTable({
  zones: [{ suffix: parseDomainName("example.test"), private: false }],
  names: new Map([[
    parseDomainName("db.example.test"),
    { ipv4: parseIpv4("100.64.0.9"), ipv6: parseIpv6("fd00::6440:9") },
  ]]),
});

/** Not asked for anything: these servers listen on a free port of their own. */
const NO_HELPER = {} as HelperLink;

function open(): Promise<DnsServer> {
  return DnsServer.open({
    shim: loadShim(),
    helper: NO_HELPER,
    needsPort53: false,
    table: () => TABLE,
  });
}

function question(name: string, type: string, id = 4711): Uint8Array<ArrayBuffer> {
  const encoded = dnsPacket.encode({
    type: "query",
    id,
    flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ name, type: type as dnsPacket.RecordType }],
  });
  return Uint8Array.from(encoded);
}

async function askUdp(server: Endpoint, message: Uint8Array): Promise<dnsPacket.DecodedPacket> {
  const socket = UdpSocket.bind(loadShim(), { address: parseIp("127.0.0.1"), port: 0 });
  try {
    const batch = new DatagramBatch(1, 4096);
    batch.put(0, message, server);
    socket.trySend(batch);
    await socket.receive(batch, AbortSignal.timeout(5_000));
    return dnsPacket.decode(toBuffer(batch.payload(0)));
  } finally {
    await socket.close();
  }
}

async function askTcp(
  server: Endpoint,
  messages: readonly Uint8Array[],
): Promise<dnsPacket.DecodedPacket[]> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  for (const message of messages) {
    const framed = new Uint8Array(message.length + 2);
    new DataView(framed.buffer).setUint16(0, message.length);
    framed.set(message, 2);
    await conn.write(framed);
  }
  const answers: dnsPacket.DecodedPacket[] = [];
  const buffer = new Uint8Array(65_536);
  for (let used = 0; answers.length < messages.length;) {
    const count = await conn.read(buffer.subarray(used));
    if (count === null) break;
    used += count;
    for (const at = 0; at + 2 <= used;) {
      const length = new DataView(buffer.buffer).getUint16(at);
      if (at + 2 + length > used) break;
      answers.push(dnsPacket.decode(toBuffer(buffer.subarray(at + 2, at + 2 + length))));
      buffer.copyWithin(0, at + 2 + length, used);
      used -= at + 2 + length;
    }
  }
  return answers;
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes);
}

/** An upstream that answers every A question with one address, or with an rcode. */
function upstream(answer: string | "SERVFAIL"): { endpoint: Endpoint; close(): Promise<void> } {
  const socket = UdpSocket.bind(loadShim(), { address: parseIp("127.0.0.1"), port: 0 });
  const serving = (async () => {
    const batch = new DatagramBatch(1, 4096);
    while (await socket.receive(batch) > 0) {
      const asked = dnsPacket.decode(toBuffer(batch.payload(0)));
      const [first] = asked.questions ?? [];
      const reply = dnsPacket.encode({
        type: "response",
        id: asked.id ?? 0,
        flags: answer === "SERVFAIL" ? 2 : 0,
        questions: asked.questions ?? [],
        answers: answer === "SERVFAIL" || first === undefined
          ? []
          : [{ name: first.name, type: "A", ttl: 60, data: answer }],
      });
      // dns-packet writes names as it read them, so the letter case survives.
      batch.put(0, Uint8Array.from(reply), batch.endpoint(0));
      socket.trySend(batch);
    }
  })();
  return {
    endpoint: socket.localEndpoint,
    close: async () => {
      await socket.close();
      await serving;
    },
  };
}

Deno.test("DnsServer answers its own names over UDP and TCP", async () => {
  await using server = await open();
  const overUdp = await askUdp(server.endpoint, question("DB.example.test", "A"));
  deepEqual(overUdp.answers?.map((answer) => "data" in answer && answer.data), ["100.64.0.9"]);
  equal(overUdp.id, 4711);
  equal(overUdp.questions?.[0]?.name, "DB.example.test");
  const [a, aaaa, https] = (await askTcp(server.endpoint, [
    question("db.example.test", "A", 1),
    question("db.example.test", "AAAA", 2),
    question("db.example.test", "HTTPS", 3),
  ])).toSorted((one, other) => (one.id ?? 0) - (other.id ?? 0));
  deepEqual([a?.answers?.length, aaaa?.answers?.length, https?.answers?.length], [1, 1, 0]);
  equal(https?.authorities?.[0]?.type, "SOA");
});

Deno.test("DnsServer forwards what is not its own", async () => {
  await using server = await open();
  const public1 = upstream("192.0.2.7");
  try {
    server.setUpstreams([public1.endpoint]);
    const found = await askUdp(server.endpoint, question("www.other.test", "A"));
    deepEqual(found.answers?.map((answer) => "data" in answer && answer.data), ["192.0.2.7"]);
    equal(server.render([]).queries_forwarded, 1);
  } finally {
    await public1.close();
  }
});

Deno.test("DnsServer asks the next upstream when one fails", async () => {
  await using server = await open();
  const broken = upstream("SERVFAIL");
  const good = upstream("192.0.2.8");
  try {
    server.setUpstreams([broken.endpoint, good.endpoint]);
    const found = await askUdp(server.endpoint, question("www.other.test", "A"));
    deepEqual(found.answers?.map((answer) => "data" in answer && answer.data), ["192.0.2.8"]);
  } finally {
    await broken.close();
    await good.close();
  }
});

Deno.test("DnsServer answers SERVFAIL when no upstream is known", async () => {
  await using server = await open();
  const found = await askUdp(server.endpoint, question("www.other.test", "A"));
  equal((found as { rcode?: string }).rcode, "SERVFAIL");
});

Deno.test("DnsServer counts and survives what is no question", async () => {
  await using server = await open();
  const malformed = await askUdp(server.endpoint, new Uint8Array(12));
  equal((malformed as { rcode?: string }).rcode, "FORMERR");
  equal(server.render([]).queries_malformed, 1);
  const after = await askUdp(server.endpoint, question("db.example.test", "A"));
  equal(after.answers?.length, 1);
});
