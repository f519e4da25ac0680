import { deepEqual, equal, match } from "node:assert/strict";
import { ask, NAME, newQuery, STEADY, wordFor } from "../../../tests/doubles/dns_asking.ts";
import { always, answerTo, DnsUpstream, silent } from "../../../tests/doubles/dns_upstream.ts";
import { decodeQuery, RCODE } from "../../dns/mod.ts";
import { Upstreams } from "./upstreams.ts";

/** The name a question asks for, and whether its server is to take it for a probe of its own. */
interface Back {
  readonly name: string;
  readonly found: boolean;
}

/** A resolver that forwards to this server, in the letter case it was asked in; it keeps what it is told to itself. */
function circleTo(upstreams: Upstreams, backs: Back[] = []): DnsUpstream {
  return new DnsUpstream((question) => {
    const decoded = decodeQuery(question);
    if (decoded.kind !== "query") throw new Error("not a query");
    const { name } = decoded.query.question;
    backs.push({ name, found: upstreams.leadsBack(decoded.query) });
    return [];
  });
}

Deno.test("Upstreams.leadsBack() knows its own probe and leaves the upstream alone", async () => {
  await using upstreams = new Upstreams();
  const backs: Back[] = [];
  await using circle = circleTo(upstreams, backs);
  upstreams.set([circle.endpoint]);
  const [first, second] = [wordFor(await ask(upstreams)), wordFor(await ask(upstreams))];
  equal(first, "23 an upstream resolver leads back to this server");
  equal(second, "22 every upstream leads back to this server");
  equal(upstreams.loopsFound, 1);
  const [asked, probe] = backs;
  deepEqual([asked?.name.toLowerCase(), asked?.found], [NAME, false]);
  match(probe?.name ?? "", /^vnet-loop-[0-9a-f]{32}\.vnet-loop-[0-9a-f]{32}$/);
  equal(probe?.found, true);
});

Deno.test("Upstreams.leadsBack() lets another upstream answer what went in a circle", async () => {
  await using upstreams = new Upstreams();
  await using good = new DnsUpstream(always(192, 0, 2, 2));
  await using circle = circleTo(upstreams);
  upstreams.set([circle.endpoint, good.endpoint]);
  equal(wordFor(await ask(upstreams)), "192.0.2.2");
});

Deno.test("Upstreams.leadsBack() does not believe a client that knows the spelling of what was sent", async () => {
  await using upstreams = new Upstreams(STEADY);
  await using only = new DnsUpstream((question) => {
    const decoded = decodeQuery(question);
    if (decoded.kind !== "query") throw new Error("not a query");
    const { query } = decoded;
    const isProbe = query.question.name.startsWith("vnet-loop-");
    // Who asks it so can be anybody on this machine.
    if (!isProbe) { for (let i = 0; i < 100; i++) equal(upstreams.leadsBack(query), false); }
    return isProbe ? [answerTo(question, [], { rcode: RCODE.NXDOMAIN })] : [];
  });
  upstreams.set([only.endpoint]);
  const result = ask(upstreams);
  await only.askedTimes(5); // the question three times, and two probes
  only.script = always(192, 0, 2, 2);
  equal(wordFor(await result), "192.0.2.2");
  equal(wordFor(await ask(upstreams)), "192.0.2.2");
  equal(upstreams.loopsFound, 0);
});

Deno.test("Upstreams.leadsBack() does not believe the servers of a client's name", async () => {
  await using upstreams = new Upstreams(STEADY);
  const spied: string[] = [];
  await using only = new DnsUpstream((question) => {
    const decoded = decodeQuery(question);
    if (decoded.kind !== "query") throw new Error("not a query");
    const { query } = decoded;
    const name = query.question.name.toLowerCase();
    if (!name.endsWith(NAME)) return [answerTo(question, [], { rcode: RCODE.NXDOMAIN })];
    // A resolver asks the name's own servers, which are silent, and tell an accomplice on this machine.
    spied.push(name);
    upstreams.leadsBack(query);
    return [];
  });
  upstreams.set([only.endpoint]);
  equal(wordFor(await ask(upstreams)), "23 an upstream resolver leads back to this server");
  match(spied.at(-1) ?? "", /^vnet-loop-[0-9a-f]{32}\.www\.long-enough-name\.example$/);
  equal(upstreams.loopsFound, 0);
  only.script = always(192, 0, 2, 2);
  equal(wordFor(await ask(upstreams, newQuery("www.other.example"))), "192.0.2.2");
});

Deno.test("Upstreams.leadsBack() finds what leads back in one zone only, and asks on elsewhere", async () => {
  await using upstreams = new Upstreams(STEADY);
  await using partial = new DnsUpstream((question) => {
    const decoded = decodeQuery(question);
    if (decoded.kind !== "query") throw new Error("not a query");
    const isTheirs = decoded.query.question.name.toLowerCase().endsWith(".corp.example");
    if (isTheirs) upstreams.leadsBack(decoded.query);
    return isTheirs ? [] : [answerTo(question, [[1, [192, 0, 2, 2]]])];
  });
  upstreams.set([partial.endpoint]);
  const word = wordFor(await ask(upstreams, newQuery("www.corp.example")));
  equal(word, "23 an upstream resolver leads back to this server");
  equal(wordFor(await ask(upstreams)), "192.0.2.2");
});

Deno.test("Upstreams.leadsBack() is not taken in by a client that asks again", async () => {
  await using upstreams = new Upstreams();
  await using quiet = new DnsUpstream(silent);
  upstreams.set([quiet.endpoint]);
  const query = newQuery();
  const result = ask(upstreams, query);
  await quiet.askedTimes(1);
  equal(upstreams.leadsBack(query), false);
  const shout = newQuery();
  for (let at = 12; at < shout.questionEnd - 4; at++) {
    if (shout.bytes[at]! >= 0x61) shout.bytes[at]! ^= 0x20;
  }
  equal(upstreams.leadsBack(shout), false);
  equal(upstreams.loopsFound, 0);
  await upstreams[Symbol.asyncDispose]();
  equal(wordFor(await result), "14 this server is stopping");
});

/** An upstream that forwards to this server in small letters, as some do; it answers what we answer. */
function foldingCircle(upstreams: Upstreams): DnsUpstream {
  return new DnsUpstream((question) => {
    const back = question.slice();
    for (let at = 12; at < back.length; at++) {
      if (back[at]! >= 0x41 && back[at]! <= 0x5a && at < back.length - 4) back[at]! |= 0x20;
    }
    const decoded = decodeQuery(back);
    const found = decoded.kind === "query" && upstreams.leadsBack(decoded.query);
    return found ? [answerTo(question, [], { rcode: RCODE.SERVFAIL })] : [];
  });
}

Deno.test("Upstreams.leadsBack() finds a circle in which the letter case is lost", async (t) => {
  for (
    const name of [NAME, "12.34", "a.b", `${"x".repeat(63)}.${"y".repeat(63)}.${"z".repeat(63)}.w`]
  ) {
    await t.step(name.slice(0, 20), async () => {
      await using upstreams = new Upstreams();
      await using circle = foldingCircle(upstreams);
      upstreams.set([circle.endpoint]);
      equal(
        wordFor(await ask(upstreams, newQuery(name))),
        "23 an upstream resolver leads back to this server",
      );
      equal(upstreams.loopsFound, 1);
      equal(circle.asked.length, 2); // the question and a probe, long before the deadline
    });
  }
});

Deno.test("Upstreams.leadsBack() lets another upstream answer what lost its case in a circle", async () => {
  await using upstreams = new Upstreams();
  await using good = new DnsUpstream(silent);
  await using circle = foldingCircle(upstreams);
  upstreams.set([circle.endpoint, good.endpoint]);
  const result = ask(upstreams);
  await circle.askedTimes(2);
  await good.askedTimes(1);
  good.script = always(192, 0, 2, 2);
  equal(wordFor(await result), "192.0.2.2");
  equal(upstreams.loopsFound, 1);
});

Deno.test("Upstreams.leadsBack() probes no upstream that answers", async () => {
  await using upstreams = new Upstreams();
  await using good = new DnsUpstream((question) => {
    const decoded = decodeQuery(newQuery().bytes); // a second client asks the same at the same time
    if (decoded.kind === "query") equal(upstreams.leadsBack(decoded.query), false);
    return [answerTo(question, [[1, [192, 0, 2, 2]]])];
  });
  upstreams.set([good.endpoint]);
  for (let i = 0; i < 10; i++) equal(wordFor(await ask(upstreams)), "192.0.2.2");
  equal(good.asked.length, 10);
});
