import { deepEqual, equal } from "node:assert/strict";
import { DnsUpstream, silent } from "../../../tests/doubles/dns_upstream.ts";
import { decodeMessage, decodeQuery, encodeQuestion, questionOf } from "../../dns/mod.ts";
import { DnsForwarder } from "./forwarder.ts";

const TEXT = "too many questions at once";

function ask(forwarder: DnsForwarder, name: string, replies: string[]): void {
  const bytes = encodeQuestion(questionOf(name, 1), { id: 1, udpSizeBytes: 1232 });
  const decoded = decodeQuery(bytes);
  if (decoded.kind !== "query") throw new Error("not a query");
  const { query } = decoded;
  forwarder.forward({ query, transport: "udp", emptyNonTerminal: false }, () => (reply) => {
    replies.push(decodeMessage(reply)?.edns?.error?.text ?? "");
  });
}

Deno.test("DnsForwarder.forward() has a bound on different questions and answers beyond it", async () => {
  await using upstream = new DnsUpstream(silent);
  const forwarder = new DnsForwarder({ ranges: () => [], cacheEntries: 0 });
  forwarder.setUpstreams([upstream.endpoint]);
  const replies: string[] = [];
  for (let i = 0; i < 1024; i++) ask(forwarder, `host${i}.example`, replies);
  deepEqual(replies, []);
  ask(forwarder, "one-more.example", replies);
  deepEqual(replies, [TEXT]);
  ask(forwarder, "host1.example", replies); // an equal one costs nothing
  deepEqual(replies, [TEXT]);
  await forwarder[Symbol.asyncDispose]();
  equal(replies.length, 1026);
});

Deno.test("DnsForwarder.forward() has a bound on those who wait for one answer", async () => {
  await using upstream = new DnsUpstream(silent);
  const forwarder = new DnsForwarder({ ranges: () => [], cacheEntries: 0 });
  forwarder.setUpstreams([upstream.endpoint]);
  const replies: string[] = [];
  for (let i = 0; i < 256; i++) ask(forwarder, "www.example", replies);
  deepEqual(replies, []);
  ask(forwarder, "www.example", replies);
  deepEqual(replies, [TEXT]);
  await forwarder[Symbol.asyncDispose]();
  equal(new Set(replies).size, 2);
  equal(replies.length, 257);
});
