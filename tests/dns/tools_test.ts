/**
 * dig, kdig and drill against a running DnsServer: what people see who look.
 */
import { deepEqual, equal, match } from "node:assert/strict";
import { DnsServer } from "../../lib/client/dns/server.ts";
import type { HelperLink } from "../../lib/client/setup/helper_link.ts";
import { formatIp } from "../../lib/ip/mod.ts";
import { always, answerTo, DnsUpstream, failing } from "../doubles/dns_upstream.ts";
import { machine } from "../machine.ts";
import { needing } from "../needs.ts";
import { run } from "./programs.ts";
import { newTable } from "./table.ts";

/** What a tool says of an answer. */
interface Seen {
  readonly status: string;
  readonly flags: readonly string[];
  /** `TYPE data`, in order. */
  readonly answers: readonly string[];
  readonly authorities: readonly string[];
  readonly text: string;
}

/** One question as each tool is asked it, and what all of them must see. */
interface Row {
  readonly name: string;
  readonly dig: readonly string[];
  readonly kdig: readonly string[];
  /** Not given where drill cannot ask so. */
  readonly drill?: readonly string[];
  readonly want: Partial<Seen>;
}

const SOA = (zone: string) => `SOA ${zone}. nobody.invalid. 1 3600 1200 604800 5`;

function same(...args: readonly string[]): Pick<Row, "dig" | "kdig" | "drill"> {
  return { dig: args, kdig: args, drill: args };
}

const ROWS: readonly Row[] = [
  {
    name: "A of an app",
    ...same("db.corp.example", "A"),
    want: { status: "NOERROR", answers: ["A 100.64.0.7"], flags: ["aa", "qr", "ra", "rd"] },
  },
  {
    name: "AAAA of an app in another spelling",
    ...same("DB.Corp.EXAMPLE", "AAAA"),
    want: { status: "NOERROR", answers: ["AAAA fd12::6440:7"] },
  },
  {
    name: "A over TCP",
    dig: ["+tcp", "db.corp.example", "A"],
    kdig: ["+tcp", "db.corp.example", "A"],
    drill: ["-t", "db.corp.example", "A"],
    want: { status: "NOERROR", answers: ["A 100.64.0.7"] },
  },
  {
    name: "HTTPS of an app is NODATA",
    ...same("db.corp.example", "TYPE65"),
    want: { status: "NOERROR", answers: [], authorities: [SOA("corp.example")] },
  },
  {
    name: "TXT of an app is NODATA",
    ...same("db.corp.example", "TXT"),
    want: { status: "NOERROR", answers: [], authorities: [SOA("corp.example")] },
  },
  {
    name: "AAAA of an app without one",
    ...same("v4.corp.example", "AAAA"),
    want: { status: "NOERROR", answers: [] },
  },
  {
    name: "an unknown name in a private zone",
    ...same("nobody.secret.test", "A"),
    want: { status: "NXDOMAIN", answers: [], authorities: [SOA("secret.test")] },
  },
  {
    name: "reverse",
    dig: ["-x", "100.64.0.7"],
    kdig: ["-x", "100.64.0.7"],
    drill: ["-x", "100.64.0.7"],
    want: { status: "NOERROR", answers: ["PTR db.corp.example."] },
  },
  {
    name: "reverse of nobody",
    dig: ["-x", "100.64.0.99"],
    kdig: ["-x", "100.64.0.99"],
    drill: ["-x", "100.64.0.99"],
    want: { status: "NXDOMAIN", answers: [] },
  },
  {
    name: "reverse of IPv6",
    dig: ["-x", "fd12::6440:7"],
    kdig: ["-x", "fd12::6440:7"],
    drill: ["-x", "fd12::6440:7"],
    want: { status: "NOERROR", answers: ["PTR db.corp.example."] },
  },
  {
    name: "a probe",
    ...same("vnet-diag-0123456789abcdef.corp.example", "A"),
    want: { status: "NOERROR", answers: ["A 100.64.0.1"] },
  },
  {
    name: "a foreign name",
    ...same("www.example.org", "A"),
    want: { status: "NOERROR", answers: ["A 192.0.2.1"], flags: ["qr", "ra", "rd"] },
  },
  {
    name: "a DNSSEC question about an app",
    dig: ["+dnssec", "db.corp.example", "A"],
    kdig: ["+dnssec", "db.corp.example", "A"],
    drill: ["-D", "db.corp.example", "A"],
    want: { status: "NOERROR", answers: ["A 100.64.0.7"] },
  },
  {
    name: "ANY of an app",
    dig: ["+notcp", "db.corp.example", "ANY"],
    kdig: ["+notcp", "db.corp.example", "ANY"],
    drill: ["db.corp.example", "ANY"],
    want: { answers: ["A 100.64.0.7", "AAAA fd12::6440:7"] },
  },
  {
    name: "class CHAOS",
    dig: ["version.bind", "CH", "TXT"],
    kdig: ["version.bind", "CH", "TXT"],
    drill: ["version.bind", "CH", "TXT"],
    want: { status: "REFUSED", answers: [] },
  },
  {
    name: "EDNS version 1",
    dig: ["+edns=1", "+noednsneg", "db.corp.example", "A"],
    kdig: ["+edns=1", "db.corp.example", "A"],
    want: { status: "BADVERS", answers: [] },
  },
  {
    name: "an unknown EDNS option",
    dig: ["+ednsopt=65001:0102", "db.corp.example", "A"],
    kdig: ["+ednsopt=65001:0102", "db.corp.example", "A"],
    want: { status: "NOERROR", answers: ["A 100.64.0.7"] },
  },
];

const TOOLS: readonly [tool: "dig" | "kdig" | "drill", need: string][] = [
  ["dig", "dig"],
  ["kdig", "kdig"],
  ["drill", "drill"],
];

for (const [tool, need] of TOOLS) {
  Deno.test(needing([need], `${tool} sees what docs/dns.md says`, async (t) => {
    await using upstream = new DnsUpstream(always(192, 0, 2, 1));
    await using server = await open();
    server.setUpstreams([upstream.endpoint]);
    for (const row of ROWS) {
      const args = row[tool];
      if (args === undefined) continue;
      for (const endpoint of server.endpoints) {
        const host = formatIp(endpoint.address);
        await t.step(`${row.name}, at ${host}`, async () => {
          const seen = await look(tool, host, endpoint.port, args);
          for (const [key, want] of Object.entries(row.want)) {
            deepEqual(seen[key as keyof Seen], want, seen.text);
          }
        });
      }
    }
  }));
}

Deno.test(needing(
  ["dig", "kdig"],
  "dig and kdig show why there is no answer",
  async (t) => {
    await using broken = new DnsUpstream(always(100, 64, 0, 200));
    await using server = await open();
    const cases: [name: string, status: string, error: RegExp][] = [
      ["out.corp.example", "REFUSED", /18 \(Prohibited\):? '?\(?not logged in to corp/],
      ["denied.corp.example", "REFUSED", /18 \(Prohibited\):? '?\(?access denied/],
      ["gone.corp.example", "NXDOMAIN", /0 \(Other\):? '?\(?app removed/],
      ["full.corp.example", "SERVFAIL", /0 \(Other\):? '?\(?no free address for this name/],
      ["www.example.org", "SERVFAIL", /15 \(Blocked\):? '?\(?an upstream claims/],
    ];
    server.setUpstreams([broken.endpoint]);
    for (const tool of ["dig", "kdig"] as const) {
      for (const [name, status, error] of cases) {
        await t.step(`${tool} ${name}`, async () => {
          const seen = await look(tool, "127.0.0.1", server.endpoint.port, ["+edns=0", name, "A"]);
          equal(seen.status, status);
          match(seen.text, error);
        });
      }
    }
  },
));

Deno.test(needing(
  ["dig", "kdig"],
  "nobody gets a zone transferred",
  async () => {
    await using server = await open();
    const { port } = server.endpoint;
    match((await look("dig", "127.0.0.1", port, ["corp.example", "AXFR"])).text, /Transfer failed/);
    match((await look("kdig", "127.0.0.1", port, ["corp.example", "AXFR"])).text, /REFUSED/);
  },
));

Deno.test(needing(["dig"], "dig gets over TCP what UDP cannot carry", async () => {
  const text = [255, ...Array<number>(255).fill(65)];
  const large = Array.from({ length: 12 }, () => [16, text] as const);
  await using upstream = new DnsUpstream((asked, transport) => [
    answerTo(asked, transport === "tcp" ? large : [], transport === "udp" ? { flags: 0x200 } : {}),
  ]);
  await using server = await open();
  server.setUpstreams([upstream.endpoint]);
  const { port } = server.endpoint;
  const seen = await look("dig", "127.0.0.1", port, ["+noedns", "large.example.org", "TXT"]);
  equal(seen.answers.length, 12);
  match(seen.text, /Truncated, retrying in TCP mode/);
}));

Deno.test(needing(["kdig"], "kdig asks many questions over one TCP connection", async () => {
  await using server = await open();
  const names = Array.from({ length: 20 }, () => ["db.corp.example", "v4.corp.example"]).flat();
  const { code, stdout } = await run([
    ...["kdig", "@127.0.0.1", "-p", `${server.endpoint.port}`, "+tcp", "+keepopen", "+short"],
    ...names,
  ]);
  equal(code, 0);
  deepEqual(
    stdout.trim().split("\n"),
    names.map((name) => /^db/.test(name) ? "100.64.0.7" : "100.64.0.8"),
  );
}));

Deno.test(needing(
  ["dig"],
  "dig sees an upstream's failure when nobody has more to say",
  async () => {
    await using refusing = new DnsUpstream(failing(5));
    await using server = await open();
    server.setUpstreams([refusing.endpoint]);
    const seen = await look("dig", "127.0.0.1", server.endpoint.port, ["www.example.org", "A"]);
    equal(seen.status, "REFUSED");
  },
));

function open(): Promise<DnsServer> {
  const table = newTable();
  return DnsServer.open({
    sockets: machine.sockets,
    helper: {} as HelperLink, // not asked: the port is a free one
    needsPort53: false,
    table,
  });
}

async function look(
  tool: "dig" | "kdig" | "drill",
  host: string,
  port: number,
  args: readonly string[],
): Promise<Seen> {
  const { stdout, stderr } = await run([tool, `@${host}`, "-p", `${port}`, ...args]);
  const text = stdout + stderr;
  const flags = /flags: ?([a-z ]*);/i.exec(stdout)?.[1]?.trim().split(" ").toSorted() ?? [];
  return {
    status: /(?:status|rcode): ([A-Z]+)/.exec(stdout)?.[1] ?? "none",
    flags,
    answers: recordsOf(stdout, "ANSWER"),
    authorities: recordsOf(stdout, "AUTHORITY"),
    text,
  };
}

/** The records of a section as all three tools print them: owner, TTL, class, type, data. */
function recordsOf(stdout: string, section: string): string[] {
  const lines = stdout.split("\n");
  const start = lines.findIndex((line) => line.startsWith(`;; ${section} SECTION:`));
  if (start < 0) return [];
  const end = lines.findIndex((line, index) => index > start && line.trim() === "");
  return lines.slice(start + 1, end < 0 ? lines.length : end).map((line) =>
    line.split(/\s+/).slice(3).join(" ")
  );
}
