import { deepEqual, equal, match, notEqual } from "node:assert/strict";
import { askTcp, askUdp, TcpClient, UdpClient } from "../../../tests/doubles/dns_client.ts";
import { always, answerTo, DnsUpstream, silent } from "../../../tests/doubles/dns_upstream.ts";
import { machine } from "../../../tests/machine.ts";
import {
  decodeMessage,
  EDE,
  encodeQuestion,
  FLAG,
  frameMessage,
  type Message,
  type NameEntry,
  NameTable,
  parseDomainName,
  questionOf,
  RCODE,
  RR_TYPE,
} from "../../dns/mod.ts";
import {
  formatEndpoint,
  formatIp,
  type Ipv6,
  parseIp,
  parseIpv4,
  parseIpv6,
  parsePrefix,
} from "../../ip/mod.ts";
import { configureLog } from "../../log.ts";
import { DnsServer, type DnsServerOptions } from "./server.ts";
import type { HelperLink } from "../setup/helper_link.ts";

const { sockets } = machine.root;

const TABLE = new NameTable({
  zones: [{ suffix: parseDomainName("example.test"), private: false }],
  names: new Map([[
    parseDomainName("db.example.test"),
    { ipv4: parseIpv4("100.64.0.9"), ipv6: parseIpv6("fd00::6440:9") },
  ]]),
  reverse: [parsePrefix("100.64.0.0/24")],
  probe: { ipv4: parseIpv4("100.64.0.1"), ipv6: null },
});
const FOREIGN = "www.a-foreign-name.test";

/** Not asked for anything: these servers listen on a free port of their own. */
const NO_HELPER = {} as HelperLink;

function open(options: Partial<DnsServerOptions> = {}): Promise<DnsServer> {
  return DnsServer.open({
    sockets,
    helper: NO_HELPER,
    needsPort53: false,
    table: TABLE,
    ...options,
  });
}

function question(name: string, type: number = RR_TYPE.A, id = 4711): Uint8Array {
  return encodeQuestion(questionOf(name, type), { id, udpSizeBytes: 1232 });
}

function read(answer: Uint8Array | null): Message {
  const message = answer && decodeMessage(answer);
  if (!message) throw new Error("Not a message");
  return message;
}

function firstAddress(answer: Uint8Array | null): string | undefined {
  return read(answer).answers[0]?.rdata.join(".");
}

Deno.test("DnsServer answers its own names over UDP and TCP, IPv4 and IPv6", async (t) => {
  await using server = await open();
  equal(server.endpoints.length, 2);
  for (const endpoint of server.endpoints) {
    await t.step(formatEndpoint(endpoint), async () => {
      const asked = question("DB.example.test");
      const overUdp = await askUdp(endpoint, asked);
      const overTcp = await askTcp(endpoint, asked);
      deepEqual(overUdp, overTcp);
      equal(firstAddress(overUdp), "100.64.0.9");
      equal(read(overUdp).id, 4711);
      deepEqual(overUdp.subarray(12, 33), asked.subarray(12, 33)); // the spelling comes back
    });
  }
});

Deno.test("DnsServer answers on the link's IPv6 address where it must have port 53", async (t) => {
  const asked: string[] = [];
  // ::1 stands for the link's address, and free ports for 53
  const helper = {
    dnsSockets: (address: string) => {
      asked.push(address);
      if (address === "::2") throw new Error("not the link's");
      const where = parseIp(address.startsWith("127.") ? "127.0.0.1" : address);
      const tcpFd = sockets.listenTcp({ address: where, port: 0 });
      return Promise.resolve({
        tcpFd,
        udpFd: sockets.listenUdp(sockets.localEndpoint(tcpFd)),
      });
    },
  } as unknown as HelperLink;
  const cases: [linkAddress6: Ipv6 | null, listeners: string[]][] = [
    [parseIpv6("::1"), ["127.0.53.1:53", "[::1]:53"]],
    [parseIpv6("::2"), ["127.0.53.1:53"]],
    [null, ["127.0.53.1:53"]],
  ];
  for (const [linkAddress6, listeners] of cases) {
    await t.step(`${linkAddress6 && formatIp(linkAddress6)}`, async () => {
      asked.length = 0;
      await using server = await open({ helper, needsPort53: true, linkAddress6 });
      deepEqual(server.render([]).listeners, listeners);
      equal(server.render([]).server, "127.0.53.1:53");
      deepEqual(asked, ["127.0.53.1", ...linkAddress6 === null ? [] : [formatIp(linkAddress6)]]);
    });
  }
});

Deno.test("DnsServer answers for probes and for what it was not asked to publish", async () => {
  await using server = await open();
  const ask = (name: string, type?: number) => askUdp(server.endpoint, question(name, type));
  equal(firstAddress(await ask("vnet-diag-0123abcd.example.test")), "100.64.0.1");
  const https = read(await ask("db.example.test", RR_TYPE.HTTPS));
  deepEqual([https.rcode, https.answers.length, https.authorities[0]?.type], [0, 0, RR_TYPE.SOA]);
  equal(server.render([]).queries_forwarded, 0);
});

Deno.test("DnsServer forwards what is not its own, and hands back what it gets", async () => {
  await using server = await open();
  await using upstream = new DnsUpstream(always(192, 0, 2, 7));
  server.setUpstreams([upstream.endpoint]);
  const found = await askUdp(server.endpoint, question("WWW.a-foreign-name.TEST"));
  equal(firstAddress(found), "192.0.2.7");
  deepEqual(found.subarray(12, 37), question("WWW.a-foreign-name.TEST").subarray(12, 37));
  equal(read(found).id, 4711);
  const { queries_total, queries_forwarded } = server.render([]);
  deepEqual([queries_total, queries_forwarded], [1, 1]);
  deepEqual(server.render([]).upstreams, [formatEndpoint(upstream.endpoint)]);
});

Deno.test("DnsServer forwards an unknown name of a zone, and never to itself", async () => {
  await using server = await open();
  await using upstream = new DnsUpstream(always(192, 0, 2, 7));
  server.setUpstreams([...server.endpoints, upstream.endpoint]);
  deepEqual(server.render([]).upstreams, [formatEndpoint(upstream.endpoint)]);
  equal(firstAddress(await askUdp(server.endpoint, question("x.example.test"))), "192.0.2.7");
});

Deno.test("DnsServer asks no upstream whose address leads to its own link, if that is in this network", async () => {
  const table = new NameTable({
    zones: [],
    names: new Map(),
    reverse: [parsePrefix("127.0.0.0/8")],
  });
  for (const elsewhere of [false, true]) {
    await using server = await open({ table, elsewhere });
    await using upstream = new DnsUpstream(always(192, 0, 2, 7));
    server.setUpstreams([upstream.endpoint]);
    const { rcode } = read(await askUdp(server.endpoint, question(FOREIGN)));
    const isAsked = upstream.asked.length > 0;
    deepEqual([isAsked, rcode], elsewhere ? [true, RCODE.NOERROR] : [false, RCODE.SERVFAIL]);
  }
});

Deno.test("DnsServer says why it has no answer", async (t) => {
  await using server = await open();
  const reason = async () => read(await askUdp(server.endpoint, question(FOREIGN)));
  await t.step("no upstream", async () => {
    const { rcode, edns } = await reason();
    equal(rcode, RCODE.SERVFAIL);
    deepEqual(edns?.error, {
      code: EDE.NO_REACHABLE_AUTHORITY,
      text: "no upstream resolver is known",
    });
  });
  await t.step("a virtual address from elsewhere", async () => {
    await using liar = new DnsUpstream(always(100, 64, 0, 200));
    server.setUpstreams([liar.endpoint]);
    const { rcode, answers, edns } = await reason();
    deepEqual([rcode, answers.length, edns?.error?.code], [RCODE.SERVFAIL, 0, EDE.BLOCKED]);
  });
  await t.step("an upstream that leads back", async () => {
    using relay = new UdpClient(server.endpoint);
    await using circle = new DnsUpstream((asked) => {
      void relay.send(asked);
      return [];
    });
    server.setUpstreams([circle.endpoint]);
    const { rcode, edns } = await reason();
    equal(rcode, RCODE.SERVFAIL);
    match(edns?.error?.text ?? "", /leads back to this server$/);
    // What its question joined has failed, and the probe is answered by itself.
    const told = [await relay.receive(), await relay.receive()];
    deepEqual(told.map((bytes) => read(bytes).rcode), [RCODE.SERVFAIL, RCODE.SERVFAIL]);
  });
});

Deno.test("DnsServer asks once what many ask at once", async () => {
  await using server = await open();
  await using upstream = new DnsUpstream(silent);
  server.setUpstreams([upstream.endpoint]);
  using one = new UdpClient(server.endpoint);
  using two = new UdpClient(server.endpoint);
  await one.send(question("www.a-foreign-name.test", RR_TYPE.A, 1));
  await upstream.askedTimes(1);
  // the owned name's answer tells that the equal question before it was taken in
  await two.send(question("WWW.A-foreign-name.test", RR_TYPE.A, 2));
  equal(read(await two.ask(question("db.example.test", RR_TYPE.A, 3))).id, 3);
  upstream.script = always(192, 0, 2, 7); // for the repeated question
  const [first, second] = [await one.receive(), await two.receive()];
  deepEqual([read(first).id, read(second).id], [1, 2]);
  deepEqual([firstAddress(first), firstAddress(second)], ["192.0.2.7", "192.0.2.7"]);
  notEqual(first.subarray(12, 20).toHex(), second.subarray(12, 20).toHex());
  const probes = upstream.asked.filter((asked) => /^vnet-loop-/.test(nameIn(asked)));
  deepEqual([upstream.asked.length - probes.length, probes.length > 0], [2, true]);
});

/** The name in the question, small letters. */
function nameIn(asked: Uint8Array): string {
  return read(asked).questions[0]?.name ?? "";
}

Deno.test("DnsServer says NODATA above its own names, whatever the upstream says", async () => {
  await using server = await open();
  await using upstream = new DnsUpstream((asked) => [answerTo(asked, [], { rcode: 3 })]);
  server.setUpstreams([upstream.endpoint]);
  equal(read(await askUdp(server.endpoint, question("example.test"))).rcode, RCODE.NOERROR);
  equal(read(await askUdp(server.endpoint, question("x.example.test"))).rcode, RCODE.NXDOMAIN);
});

Deno.test("DnsServer keeps foreign answers when it is told to", async () => {
  await using server = await open({ cacheEntries: 10 });
  await using upstream = new DnsUpstream(always(192, 0, 2, 7));
  server.setUpstreams([upstream.endpoint]);
  for (const id of [1, 2, 3]) {
    const found = await askUdp(server.endpoint, question(FOREIGN, RR_TYPE.A, id));
    deepEqual([read(found).id, firstAddress(found)], [id, "192.0.2.7"]);
  }
  equal(upstream.asked.length, 1);
  server.setUpstreams([upstream.endpoint]); // other upstreams may know otherwise
  await askUdp(server.endpoint, question(FOREIGN));
  equal(upstream.asked.length, 2);
  server.setTable(TABLE); // what is believed of an upstream depends on the table
  await askUdp(server.endpoint, question(FOREIGN));
  equal(upstream.asked.length, 3);
});

Deno.test("DnsServer asks over TCP for a TCP client whose answer is too large for UDP", async () => {
  await using server = await open();
  const text = [255, ...Array<number>(255).fill(65)];
  const large = Array.from({ length: 12 }, () => [RR_TYPE.TXT, text] as const);
  await using upstream = new DnsUpstream((asked, transport) => [
    answerTo(
      asked,
      transport === "udp" ? [] : large,
      transport === "udp" ? { flags: FLAG.TC } : {},
    ),
  ]);
  server.setUpstreams([upstream.endpoint]);
  const cut = read(await askUdp(server.endpoint, question(FOREIGN, RR_TYPE.TXT)));
  deepEqual([cut.flags & FLAG.TC, cut.answers.length], [FLAG.TC, 0]);
  const whole = read(await askTcp(server.endpoint, question(FOREIGN, RR_TYPE.TXT)));
  deepEqual([whole.flags & FLAG.TC, whole.answers.length], [0, 12]);
});

Deno.test("DnsServer answers TCP questions in the order the answers are ready", async () => {
  await using server = await open();
  await using upstream = new DnsUpstream(silent);
  server.setUpstreams([upstream.endpoint]);
  using client = await TcpClient.connect(server.endpoint);
  await client.send(question(FOREIGN, RR_TYPE.A, 1), question("db.example.test", RR_TYPE.A, 2));
  equal(read(await client.receive()).id, 2);
  upstream.script = always(192, 0, 2, 7);
  await client.closeWrite(); // what was asked before is still answered
  equal(read(await client.receive()).id, 1);
  equal(await client.receive(), null);
});

Deno.test("DnsServer takes TCP messages as they come in, and only whole ones", async (t) => {
  await using server = await open();
  const framed = frameMessage(question("db.example.test"));
  await t.step("byte by byte", async () => {
    using client = await TcpClient.connect(server.endpoint);
    for (const byte of framed) await client.write(Uint8Array.of(byte));
    equal(firstAddress(await client.receive()), "100.64.0.9");
  });
  await t.step("two hundred at once", async () => {
    using client = await TcpClient.connect(server.endpoint);
    const ids = Array.from({ length: 200 }, (_, id) => id);
    await client.send(...ids.map((id) => question("db.example.test", RR_TYPE.A, id)));
    const got: number[] = [];
    for (const _ of ids) got.push(read(await client.receive()).id);
    deepEqual(got.toSorted((a, b) => a - b), ids);
  });
  const closed: [name: string, bytes: number[]][] = [
    ["shorter than a header", [0, 4, 1, 2, 3, 4]],
    ["longer than any query", [255, 255, 1, 2, 3, 4]],
  ];
  for (const [name, bytes] of closed) {
    await t.step(name, async () => {
      using client = await TcpClient.connect(server.endpoint);
      await client.write(Uint8Array.from(bytes));
      equal(await client.receive(), null);
    });
  }
});

Deno.test("DnsServer counts and survives what is no question", async () => {
  await using server = await open();
  equal(read(await askUdp(server.endpoint, new Uint8Array(12))).rcode, RCODE.FORMERR);
  equal(server.render([]).queries_malformed, 1);
  equal(firstAddress(await askUdp(server.endpoint, question("db.example.test"))), "100.64.0.9");
});

Deno.test("DnsServer.setTable() holds from the next question on, whoever asked what before", async (t) => {
  await using server = await open();
  await using upstream = new DnsUpstream(always(192, 0, 2, 7));
  server.setUpstreams([upstream.endpoint]);
  const zones = [{ suffix: parseDomainName("example.test"), private: false }];
  const name = parseDomainName("db.example.test");
  const trouble = { kind: "not-logged-in", text: "not logged in" } as const;
  const tables: [name: string, table: NameTable | null, want: string][] = [
    ["another address", named({ ipv4: parseIpv4("100.64.0.10"), ipv6: null }), "100.64.0.10"],
    ["no address any more", named({ ipv4: null, ipv6: null, trouble }), "rcode 5"],
    ["no such name", new NameTable({ zones, names: new Map() }), "192.0.2.7"],
    ["no table", null, "192.0.2.7"],
    ["the name again", TABLE, "100.64.0.9"],
  ];
  function named(entry: NameEntry): NameTable {
    return new NameTable({ zones, names: new Map([[name, entry]]) });
  }
  using client = new UdpClient(server.endpoint);
  const ask = async (id: number) => {
    const answer = await client.ask(question(name, RR_TYPE.A, id));
    equal(read(answer).id, id);
    return firstAddress(answer) ?? `rcode ${read(answer).rcode}`;
  };
  for (const id of [1, 2, 3]) equal(await ask(id), "100.64.0.9");
  for (const [name, table, want] of tables) {
    await t.step(name, async () => {
      server.setTable(table);
      for (const id of [4, 5]) equal(await ask(id), want);
    });
  }
  equal(server.render([]).queries_total, 13);
});

Deno.test("DnsServer forwards everything while there is no table", async () => {
  await using server = await open({ table: null });
  await using upstream = new DnsUpstream(always(192, 0, 2, 7));
  server.setUpstreams([upstream.endpoint]);
  equal(firstAddress(await askUdp(server.endpoint, question("db.example.test"))), "192.0.2.7");
});

Deno.test("DnsServer tells those who wait that it is stopping", async () => {
  const server = await open();
  await using upstream = new DnsUpstream(silent);
  server.setUpstreams([upstream.endpoint]);
  using client = new UdpClient(server.endpoint);
  await client.send(question(FOREIGN));
  await upstream.askedTimes(1);
  await server[Symbol.asyncDispose]();
  equal(read(await client.receive()).edns?.error?.code, EDE.NOT_READY);
});

Deno.test("DnsServer logs every name it is asked for at debug level, and none above", async () => {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  try {
    for (const level of ["info", "debug"] as const) {
      await configureLog({ level, form: "text", write });
      await using server = await open();
      const [endpoint] = server.endpoints;
      if (endpoint === undefined) throw new Error("It listens nowhere");
      await askUdp(endpoint, question("db.example.test"));
      await askUdp(endpoint, question("db.example.test"));
    }
  } finally {
    await configureLog({ level: "error", form: "text", write: () => {} });
  }
  const asked = lines.filter((line) => line.includes("db.example.test"));
  equal(asked.length, 2);
  match(
    asked[0] ?? "",
    / debug client\.dns: Asked for a name name=db\.example\.test type=A answer=answer/,
  );
});
