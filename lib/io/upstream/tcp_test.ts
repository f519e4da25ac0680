import { deepEqual, equal, match } from "node:assert/strict";
import { ask, newQuery, QUICK, wordFor } from "../../../tests/doubles/dns_asking.ts";
import { always, answerTo, DnsUpstream, type Script } from "../../../tests/doubles/dns_upstream.ts";
import { decodeMessage, FLAG } from "../../dns/mod.ts";
import type { AskOptions } from "./upstream.ts";
import { Upstreams } from "./upstreams.ts";

Deno.test("Upstreams.ask() asks over TCP what a TCP client was cut short", async (t) => {
  const cut: Script = (question, transport) =>
    transport === "udp"
      ? [answerTo(question, [], { flags: FLAG.TC })]
      : [answerTo(question, [[1, [192, 0, 2, 9]]])];
  await t.step("a TCP client gets the whole", async () => {
    await using only = new DnsUpstream(cut);
    await using upstreams = new Upstreams();
    upstreams.set([only.endpoint]);
    equal(wordFor(await ask(upstreams, newQuery(), { transport: "tcp" })), "192.0.2.9");
    equal(only.asked.length, 2);
  });
  await t.step("a UDP client is told to ask over TCP", async () => {
    await using only = new DnsUpstream(cut);
    await using upstreams = new Upstreams();
    upstreams.set([only.endpoint]);
    const result = await ask(upstreams);
    equal(result.kind === "answer" && (decodeMessage(result.bytes)!.flags & FLAG.TC) !== 0, true);
    equal(only.asked.length, 1);
  });
  await t.step("half an answer is none over TCP", async () => {
    await using only = new DnsUpstream((question, transport) =>
      transport === "udp" ? cut(question, "udp") : [question.subarray(0, 14)]
    );
    await using upstreams = new Upstreams(QUICK);
    upstreams.set([only.endpoint]);
    match(wordFor(await ask(upstreams, newQuery(), { transport: "tcp" })), /^2[23] /);
  });
});

/** Says over UDP that the answer is too long, and leaves what comes over TCP to the test. */
const truncating: Script = (question, transport) =>
  transport === "udp" ? [answerTo(question, [], { flags: FLAG.TC })] : [];

async function nextOverTcp(upstream: DnsUpstream) {
  let asked = await upstream.next();
  while (asked.transport === "udp") asked = await upstream.next();
  return asked;
}

Deno.test("Upstreams.ask() asks many questions over one TCP connection", async (t) => {
  const tcp: AskOptions = { transport: "tcp" };
  const names = ["one.example", "two.example", "three.example"];
  await t.step("at a time, answered in any order", async () => {
    await using only = new DnsUpstream(truncating);
    await using upstreams = new Upstreams();
    upstreams.set([only.endpoint]);
    const results = names.map((name) => ask(upstreams, newQuery(name), tcp));
    const asked = [await nextOverTcp(only), await nextOverTcp(only), await nextOverTcp(only)];
    equal(new Set(asked.map(({ bytes }) => bytes.subarray(0, 2).toHex())).size, 3);
    for (const { bytes, reply } of asked.reverse()) {
      await reply(answerTo(bytes, [[1, [192, 0, 2, bytes[12]!]]])); // the first label's length
    }
    deepEqual((await Promise.all(results)).map(wordFor), ["192.0.2.3", "192.0.2.3", "192.0.2.5"]);
    equal(only.accepted, 1);
  });
  await t.step("one after the other", async () => {
    await using only = new DnsUpstream((question, transport) =>
      transport === "udp" ? truncating(question, "udp") : always(192, 0, 2, 9)(question, "tcp")
    );
    await using upstreams = new Upstreams();
    upstreams.set([only.endpoint]);
    for (const name of names) {
      equal(wordFor(await ask(upstreams, newQuery(name), tcp)), "192.0.2.9");
    }
    equal(only.accepted, 1);
    upstreams.set([]); // whoever is no upstream any more is hung up on
    await only.hungUp();
  });
  await t.step("until nobody has asked for a while", async () => {
    await using only = new DnsUpstream((question, transport) =>
      transport === "udp" ? truncating(question, "udp") : always(192, 0, 2, 9)(question, "tcp")
    );
    await using upstreams = new Upstreams({ tcpIdleMs: 1 });
    upstreams.set([only.endpoint]);
    for (const name of names) {
      equal(wordFor(await ask(upstreams, newQuery(name), tcp)), "192.0.2.9");
      await only.hungUp();
    }
    equal(only.accepted, 3);
  });
});

Deno.test("Upstreams.ask() copes with an upstream that hangs up", async (t) => {
  const tcp: AskOptions = { transport: "tcp" };
  const answering: Script = (question, transport) =>
    transport === "udp" ? truncating(question, "udp") : always(192, 0, 2, 9)(question, "tcp");
  await t.step("while nobody waits", async () => {
    await using only = new DnsUpstream(answering);
    await using upstreams = new Upstreams();
    upstreams.set([only.endpoint]);
    equal(wordFor(await ask(upstreams, newQuery(), tcp)), "192.0.2.9");
    only.hangUp();
    equal(wordFor(await ask(upstreams, newQuery(), tcp)), "192.0.2.9");
    equal(only.accepted, 2);
  });
  await t.step("on the next question: asked again, once", async () => {
    await using only = new DnsUpstream(answering);
    await using upstreams = new Upstreams();
    upstreams.set([only.endpoint]);
    equal(wordFor(await ask(upstreams, newQuery(), tcp)), "192.0.2.9");
    let heard = 0;
    only.script = (question, transport) => {
      if (transport === "tcp" && ++heard === 1) only.hangUp();
      return heard === 1 && transport === "tcp" ? [] : answering(question, transport);
    };
    equal(wordFor(await ask(upstreams, newQuery(), tcp)), "192.0.2.9");
    deepEqual([heard, only.accepted], [2, 2]);
  });
  await t.step("on every question: a failure, not a storm", async () => {
    await using only = new DnsUpstream(answering);
    await using upstreams = new Upstreams();
    upstreams.set([only.endpoint]);
    equal(wordFor(await ask(upstreams, newQuery(), tcp)), "192.0.2.9");
    only.script = (question, transport) => {
      if (transport === "tcp") only.hangUp();
      return transport === "tcp" ? [] : answering(question, transport);
    };
    match(wordFor(await ask(upstreams, newQuery(), tcp)), /did not answer over TCP$/);
    equal(only.accepted, 2);
  });
  await t.step("that says nothing in time: the next question has another connection", async () => {
    await using only = new DnsUpstream(truncating);
    await using upstreams = new Upstreams(QUICK);
    upstreams.set([only.endpoint]);
    match(wordFor(await ask(upstreams, newQuery(), tcp)), /^2[23] /);
    only.script = answering;
    equal(wordFor(await ask(upstreams, newQuery(), tcp)), "192.0.2.9");
    equal(only.accepted, 2);
  });
});
