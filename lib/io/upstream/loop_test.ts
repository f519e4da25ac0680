import { deepEqual, equal } from "node:assert/strict";
import { ask, NAME, newQuery, wordFor } from "../../../tests/doubles/dns_asking.ts";
import { always, answerTo, DnsUpstream, silent } from "../../../tests/doubles/dns_upstream.ts";
import { decodeQuery, RCODE } from "../../dns/mod.ts";
import { Upstreams } from "./upstreams.ts";

Deno.test("Upstreams.leadsBack() knows its own spelling and leaves the upstream alone", async () => {
  await using upstreams = new Upstreams();
  const echoes: boolean[] = [];
  await using circle = new DnsUpstream((question) => {
    const decoded = decodeQuery(question);
    echoes.push(decoded.kind === "query" && upstreams.leadsBack(decoded.query));
    return [];
  });
  upstreams.set([circle.endpoint]);
  const [first, second] = [wordFor(await ask(upstreams)), wordFor(await ask(upstreams))];
  equal(first, "23 an upstream resolver leads back to this server");
  equal(second, "22 every upstream leads back to this server");
  deepEqual([echoes, circle.asked.length, upstreams.loopsFound], [[true], 1, 1]);
});

Deno.test("Upstreams.leadsBack() lets another upstream answer what went in a circle", async () => {
  await using upstreams = new Upstreams();
  await using good = new DnsUpstream(always(192, 0, 2, 2));
  await using circle = new DnsUpstream((question) => {
    const decoded = decodeQuery(question);
    if (decoded.kind === "query") upstreams.leadsBack(decoded.query);
    return [];
  });
  upstreams.set([circle.endpoint, good.endpoint]);
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

Deno.test("Upstreams.leadsBack() needs more than one echo of a short name", async () => {
  await using upstreams = new Upstreams();
  const answers: boolean[] = [];
  await using circle = new DnsUpstream((question) => {
    const decoded = decodeQuery(question);
    if (decoded.kind === "query") answers.push(upstreams.leadsBack(decoded.query));
    return [];
  });
  upstreams.set([circle.endpoint]);
  // a spelling in one case says nothing, so a short name may take a few turns
  while (upstreams.loopsFound === 0) {
    const asked = ask(upstreams, newQuery("abc.example"));
    await Promise.race([asked, circle.askedTimes(circle.asked.length + 1)]);
    if (answers.length > 40) throw new Error("never found out");
  }
  equal(answers.filter((answer) => answer).length >= 2, true);
});
