import { deepEqual, equal, match, notEqual } from "node:assert/strict";
import { ask, NAME, newQuery, QUICK, STEADY, wordFor } from "../../../tests/doubles/dns_asking.ts";
import {
  always,
  answerTo,
  DnsUpstream,
  failing,
  type Script,
  silent,
} from "../../../tests/doubles/dns_upstream.ts";
import { EDE, RCODE } from "../../dns/mod.ts";
import { formatIp, parseEndpoint } from "../../ip/mod.ts";
import type { AskOptions } from "./upstream.ts";
import { Upstreams } from "./upstreams.ts";

Deno.test("Upstreams.ask() takes the first good answer", async (t) => {
  const cases: [name: string, scripts: Script[], want: RegExp][] = [
    ["from the only one", [always(192, 0, 2, 1)], /^192\.0\.2\.1$/],
    ["after SERVFAIL", [failing(RCODE.SERVFAIL), always(192, 0, 2, 2)], /^192\.0\.2\.2$/],
    ["after REFUSED", [failing(RCODE.REFUSED), always(192, 0, 2, 2)], /^192\.0\.2\.2$/],
    ["after two failures", [
      failing(RCODE.NOTIMP),
      failing(RCODE.FORMERR),
      always(192, 0, 2, 3),
    ], /^192\.0\.2\.3$/],
    ["beside a silent one", [silent, always(192, 0, 2, 2)], /^192\.0\.2\.2$/],
    ["NXDOMAIN is the last word", [failing(RCODE.NXDOMAIN), always(192, 0, 2, 2)], /^rcode 3$/],
    ["a failure if all fail", [failing(RCODE.REFUSED), failing(RCODE.SERVFAIL)], /^rcode [25]$/],
    ["a failure before silence", [silent, failing(RCODE.REFUSED)], /^rcode 5$/],
    ["nobody answers", [silent, silent], /^22 upstream \S+, \S+ did not answer$/],
  ];
  for (const [name, scripts, want] of cases) {
    await t.step(name, async () => {
      await using stack = new AsyncDisposableStack();
      const doubles = scripts.map((script) => stack.use(new DnsUpstream(script)));
      const upstreams = stack.use(new Upstreams(QUICK));
      upstreams.set(doubles.map(({ endpoint }) => endpoint));
      match(wordFor(await ask(upstreams)), want);
    });
  }
});

Deno.test("Upstreams.ask() does not wait for the silent once another has failed", async (t) => {
  // asked again in steps 10, 30 and 70: three questions show an end before step 70, one an end before step 10
  for (const [name, order] of [["asked first", 0], ["asked second", 1]] as const) {
    await t.step(`the silent one is ${name}`, async () => {
      await using quiet = new DnsUpstream(silent);
      await using refusing = new DnsUpstream(failing(RCODE.REFUSED));
      await using upstreams = new Upstreams(STEADY);
      const both = [quiet.endpoint, refusing.endpoint];
      upstreams.set(order === 0 ? both : both.reverse());
      const times: number[] = [];
      for (let i = 0; i < 5; i++) {
        quiet.asked.length = 0;
        equal(wordFor(await ask(upstreams)), "rcode 5");
        times.push(quiet.asked.length);
      }
      deepEqual(times, [3, 3, 3, 1, 1]);
    });
  }
  await t.step("who answers again has its time again", async () => {
    await using quiet = new DnsUpstream(silent);
    await using refusing = new DnsUpstream(failing(RCODE.REFUSED));
    await using upstreams = new Upstreams(STEADY);
    upstreams.set([refusing.endpoint, quiet.endpoint]);
    for (let i = 0; i < 4; i++) equal(wordFor(await ask(upstreams)), "rcode 5");
    quiet.script = always(192, 0, 2, 2);
    equal(wordFor(await ask(upstreams)), "192.0.2.2");
    quiet.script = silent;
    quiet.asked.length = 0;
    equal(wordFor(await ask(upstreams)), "rcode 5");
    equal(quiet.asked.length, 3);
  });
});

Deno.test("Upstreams.ask() still takes a slow good answer after another has failed", async () => {
  await using slow = new DnsUpstream(silent);
  await using refusing = new DnsUpstream(failing(RCODE.REFUSED));
  await using upstreams = new Upstreams();
  upstreams.set([refusing.endpoint, slow.endpoint]);
  const result = ask(upstreams);
  const asked = await slow.next();
  await slow.next(); // asked again after half a second: the refusal has been there all the time
  await asked.reply(answerTo(asked.bytes, [[1, [192, 0, 2, 2]]]));
  equal(wordFor(await result), "192.0.2.2");
});

Deno.test("Upstreams.ask() gives one all the time there is when another cannot be reached", async () => {
  await using quiet = new DnsUpstream(silent);
  await using upstreams = new Upstreams(QUICK);
  upstreams.set([parseEndpoint("127.0.0.1:0"), quiet.endpoint]);
  match(wordFor(await ask(upstreams)), /^2[23] /);
  equal(quiet.asked.length, 4); // the fourth in step 70
});

Deno.test("Upstreams.ask() says so when nobody is known or can be reached", async () => {
  await using upstreams = new Upstreams(QUICK);
  equal(wordFor(await ask(upstreams)), "22 no upstream resolver is known");
  upstreams.set([parseEndpoint("127.0.0.1:0")]);
  equal(wordFor(await ask(upstreams)), "23 upstream 127.0.0.1:0 cannot be reached");
});

Deno.test("Upstreams.ask() asks a silent upstream again, less and less often", async () => {
  await using only = new DnsUpstream(silent);
  await using upstreams = new Upstreams(QUICK);
  upstreams.set([only.endpoint]);
  match(wordFor(await ask(upstreams)), /^22 .* did not answer$/);
  equal(only.asked.length, 4);
  const spellings = new Set(only.asked.map((question) => question.toHex()));
  equal(spellings.size, 4); // another id, another case, each time
});

Deno.test("Upstreams.ask() remembers who answered last", async () => {
  await using quiet = new DnsUpstream(silent);
  await using good = new DnsUpstream(always(192, 0, 2, 2));
  await using upstreams = new Upstreams(QUICK);
  upstreams.set([quiet.endpoint, good.endpoint]);
  await ask(upstreams);
  equal(quiet.asked.length, 1);
  good.asked.length = 0;
  await ask(upstreams);
  deepEqual([quiet.asked.length, good.asked.length], [1, 1]);
});

Deno.test("Upstreams.ask() waits for the answer to what was sent", async (t) => {
  const wrong: [name: string, edit: (answer: Uint8Array) => void][] = [
    ["another id", (answer) => void (answer[1]! ^= 1)],
    ["another name", (answer) => void (answer[14]! ^= 2)],
    ["another type", (answer) => void (answer[13 + NAME.length + 2]! ^= 28)],
    ["no answer at all", (answer) => void (answer[2]! &= 0x7f)],
  ];
  for (const [name, edit] of wrong) {
    await t.step(name, async () => {
      await using only = new DnsUpstream((question) => {
        const forged = answerTo(question, [[1, [6, 6, 6, 6]]]);
        edit(forged);
        return [forged, answerTo(question, [[1, [192, 0, 2, 1]]])];
      });
      await using upstreams = new Upstreams();
      upstreams.set([only.endpoint]);
      equal(wordFor(await ask(upstreams)), "192.0.2.1");
    });
  }
});

Deno.test("Upstreams.ask() does not listen to anybody else", async () => {
  await using only = new DnsUpstream(silent);
  await using upstreams = new Upstreams(QUICK);
  upstreams.set([only.endpoint]);
  const result = ask(upstreams);
  await only.askedTimes(1);
  // the port is known to nobody, so every port of the process is tried, from another socket
  await using stack = new AsyncDisposableStack();
  const forger = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  stack.defer(() => forger.close());
  const forged = answerTo(only.asked[0]!, [[1, [6, 6, 6, 6]]]);
  const ports = udpPorts();
  equal(ports.length > 0, true);
  for (const port of ports) {
    await forger.send(forged, { transport: "udp", hostname: "127.0.0.1", port });
  }
  match(wordFor(await result), /did not answer$/);
});

/** The UDP ports of this process that are bound on every address. */
function udpPorts(): number[] {
  const own = new Set<string>();
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    try {
      own.add(Deno.readLinkSync(`/proc/self/fd/${name}`));
    } catch {
      // The directory's own descriptor is closed by now.
    }
  }
  const lines = Deno.readTextFileSync("/proc/self/net/udp").trim().split("\n").slice(1);
  return lines.map((line) => line.trim().split(/ +/)).flatMap((columns) => {
    const [address = "", port = ""] = (columns[1] ?? "").split(":");
    return address === "00000000" && own.has(`socket:[${columns[9]}]`) ? [parseInt(port, 16)] : [];
  });
}

Deno.test("Upstreams.ask() asks from a port of its own each time", async () => {
  const ports = new Set<number>();
  await using only = new DnsUpstream(always(192, 0, 2, 1));
  await using upstreams = new Upstreams();
  upstreams.set([only.endpoint]);
  only.script = (question) => {
    for (const port of udpPorts()) ports.add(port);
    return [answerTo(question, [[1, [192, 0, 2, 1]]])];
  };
  const ids = new Set<string>();
  for (let i = 0; i < 8; i++) await ask(upstreams);
  for (const question of only.asked) ids.add(question.subarray(0, 2).toHex());
  notEqual(ids.size, 1);
  notEqual(ports.size, 1);
});

Deno.test("Upstreams.ask() mixes no case towards an upstream that folds it", async () => {
  await using only = new DnsUpstream((question) => {
    const answer = answerTo(question, [[1, [192, 0, 2, 1]]]);
    for (let at = 12; at < 12 + NAME.length + 1; at++) {
      if (answer[at]! >= 0x41 && answer[at]! <= 0x5a) answer[at]! |= 0x20;
    }
    return [answer];
  });
  await using upstreams = new Upstreams();
  upstreams.set([only.endpoint]);
  for (let i = 0; i < 5; i++) equal(wordFor(await ask(upstreams)), "192.0.2.1");
  const [first, ...later] = only.asked.map((question) => question.subarray(12).toHex());
  const plain = newQuery().bytes.subarray(12).toHex();
  notEqual(first, plain);
  deepEqual(new Set(later), new Set([plain]));
});

Deno.test("Upstreams.ask() does not believe what the caller objects to", async () => {
  await using liar = new DnsUpstream(always(100, 64, 0, 1));
  await using good = new DnsUpstream(always(192, 0, 2, 2));
  await using upstreams = new Upstreams();
  const objection = (answer: Uint8Array) =>
    answer.at(-4) === 100 ? { code: EDE.BLOCKED, text: "not theirs to give" } : null;
  upstreams.set([liar.endpoint]);
  const options: AskOptions = { transport: "udp", objection };
  equal(wordFor(await ask(upstreams, newQuery(), options)), "15 not theirs to give");
  upstreams.set([liar.endpoint, good.endpoint]);
  equal(wordFor(await ask(upstreams, newQuery(), options)), "192.0.2.2");
});

Deno.test("Upstreams ends every question when it is disposed of", async () => {
  await using quiet = new DnsUpstream(silent);
  const upstreams = new Upstreams();
  upstreams.set([quiet.endpoint]);
  const results = [ask(upstreams), ask(upstreams)];
  await upstreams[Symbol.asyncDispose]();
  deepEqual((await Promise.all(results)).map(wordFor), [
    "14 this server is stopping",
    "14 this server is stopping",
  ]);
  equal(wordFor(await ask(upstreams)), "14 this server is stopping");
});

Deno.test("Upstreams.ask() sends nothing to what is its own, and says so when nobody else is left", async () => {
  await using own = new DnsUpstream(always(192, 0, 2, 1));
  await using other = new DnsUpstream(always(192, 0, 2, 2));
  const ours = { value: true };
  await using upstreams = new Upstreams({
    ...QUICK,
    isOwn: (address) => ours.value && formatIp(address) === formatIp(own.endpoint.address),
  });
  upstreams.set([own.endpoint]);
  match(wordFor(await ask(upstreams)), /every upstream leads back to this server/);
  equal(own.asked.length, 0);
  ours.value = false;
  upstreams.set([own.endpoint, other.endpoint]);
  equal(wordFor(await ask(upstreams)), "192.0.2.1");
});

Deno.test("Upstreams.forget() gives every upstream a fresh start", async () => {
  await using first = new DnsUpstream(failing(RCODE.SERVFAIL));
  await using second = new DnsUpstream(always(192, 0, 2, 2));
  await using upstreams = new Upstreams(QUICK);
  upstreams.set([first.endpoint, second.endpoint]);
  equal(wordFor(await ask(upstreams)), "192.0.2.2");
  first.script = always(192, 0, 2, 1);
  equal(wordFor(await ask(upstreams)), "192.0.2.2"); // who answered last is asked first
  upstreams.forget();
  equal(wordFor(await ask(upstreams)), "192.0.2.1");
});
