/**
 * docs/dns.md, row by row: a running DnsServer is sent the bytes of tests/fixtures/dns and must give those there.
 */
import { deepEqual, equal } from "node:assert/strict";
import { DnsServer } from "../../lib/client/dns/server.ts";
import type { HelperLink } from "../../lib/client/setup/helper_link.ts";
import { frameMessage } from "../../lib/dns/mod.ts";
import { askTcp, TcpClient, UdpClient } from "../doubles/dns_client.ts";
import { machine } from "../machine.ts";
import { Exchange } from "./exchange.ts";
import { newTable } from "./table.ts";

const FIXTURES = new URL("../fixtures/dns/", import.meta.url);
const DOCS = new URL("../../docs/dns.md", import.meta.url);

function open(cacheEntries = 0): Promise<DnsServer> {
  const table = newTable();
  return DnsServer.open({
    sockets: machine.sockets,
    helper: {} as HelperLink, // not asked: the port is a free one
    needsPort53: false,
    table,
    cacheEntries,
  });
}

function linesOf(file: string): [name: string, words: string[]][] {
  const text = Deno.readTextFileSync(new URL(file, FIXTURES));
  return text.split("\n").filter((line) => /^[^#]/.test(line)).map((line) => {
    const [name = "", ...words] = line.split(" ");
    return [name, words];
  });
}

Deno.test("docs/dns.md names every golden test, and none that is not there", () => {
  const rows = Deno.readTextFileSync(DOCS).split("\n").filter((line) =>
    /^\| (RFC \d|Flag|draft|—)/.test(line)
  );
  const named = rows.flatMap((row) => [...(row.split("|").at(-2) ?? "").matchAll(/`([^`]+)`/g)])
    .map(([, name]) => name ?? "");
  const golden = [...linesOf("golden_replies.txt"), ...linesOf("golden_exchanges.txt")];
  equal(rows.length > 40, true);
  equal(rows.every((row) => /`[^`]+`[^|]*\|$/.test(row)), true);
  deepEqual(new Set(named), new Set(golden.map(([name]) => name)));
});

Deno.test("DnsServer gives the golden replies over UDP and TCP", async (t) => {
  await using server = await open();
  for (const [name, [query = "", want = ""]] of linesOf("golden_replies.txt")) {
    await t.step(name, async () => {
      using client = new UdpClient(server.endpoint);
      const asked = Uint8Array.fromHex(query);
      equal((await client.ask(asked)).toHex(), want);
      asked[0]! ^= 0xff; // the second time the reply may come from memory, but for the id
      const again = `${asked.toHex().slice(0, 2)}${want.slice(2)}`;
      equal((await client.ask(asked)).toHex(), again);
      asked[0]! ^= 0xff;
      equal((await askTcp(server.endpoint, asked)).toHex(), want);
    });
  }
});

Deno.test("DnsServer holds the golden exchanges", async (t) => {
  for (const [name, steps] of linesOf("golden_exchanges.txt")) {
    await t.step(name, async () => {
      await using server = await open(steps.includes("cache") ? 16 : 0);
      await using exchange = new Exchange(server, steps);
      await exchange.run();
    });
  }
});

Deno.test("DnsServer answers what it can over one TCP connection whatever the order", async () => {
  await using server = await open();
  const [[, [query = "", want = ""]] = ["", []]] = linesOf("golden_replies.txt");
  using client = await TcpClient.connect(server.endpoint);
  const framed = frameMessage(Uint8Array.fromHex(query));
  for (let i = 0; i < 300; i++) await client.write(framed);
  for (let i = 0; i < 300; i++) equal((await client.receive())?.toHex(), want);
});
