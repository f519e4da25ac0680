/**
 * Resolver libraries that programs come with, each asked the same questions on a host.
 *
 * A question is a NAME, for its addresses, ADDRESS/PTR, for its name, or NAME/TYPE. What comes back is one of these:
 *
 *   192.0.2.1 2001:db8::1   the addresses, in order of text
 *   db.example.com          the name
 *   data                    records of that type
 *   nodata                  the name is there, such records are not
 *   nxdomain                no such name
 *   none                    one of these two: the library does not say which
 *
 * Anything else is a failure, in the library's own words.
 *
 * @module
 */
import { askChromium } from "./chromium.ts";
import type { Host } from "../host/host.ts";
import type { Lab } from "../host/lab.ts";
import { unpackPackages } from "../host/packages.ts";
import { here } from "../host/paths.ts";
import { say } from "../host/say.ts";

/** What a client made of each question. */
export type View = Readonly<Record<string, string>>;

/** One way to look up names. */
export interface Client {
  readonly name: string;
  /** The types it can ask for besides addresses. */
  readonly types: readonly ("TXT" | "HTTPS" | "PTR")[];
  /** Whether it tells "no such name" from "no such records". */
  readonly tellsApart: boolean;
  /** What `deno task setup` has put there, and elsewhere may be missing. */
  readonly program?: string;
  readonly ask: (host: Host, questions: readonly string[]) => Promise<View>;
}

const TIMEOUT_MS = 30_000;
const FOLDERS = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/** A program in Go that looks up what it is told: Debian's smallest one. */
export const CLIENT_PACKAGES = ["gobuster"] as const;

/** Makes the clients ready: builds the one in C for both C libraries, unpacks the one in Go. */
export async function openClients(lab: Lab): Promise<Client[]> {
  const packages = `${lab.directory}/packages-clients`;
  const [glibc, musl] = await Promise.all([
    compile(lab, "glibc", "cc"),
    compile(lab, "musl", "musl-gcc", "-static"),
    unpackPackages(CLIENT_PACKAGES, packages),
  ]);
  const deno = ["deno", "run", "-A", here("tools/ask_deno.ts")];
  const node = ["node", here("tools/ask_node.cjs")];
  const all = { types: ["TXT", "HTTPS", "PTR"], tellsApart: true } as const;
  const text = { types: ["TXT", "PTR"], tellsApart: true } as const;
  const names = { types: [], tellsApart: true } as const;
  const mute = { types: [], tellsApart: false } as const;
  const clients: Client[] = [
    { name: "glibc", ...all, ask: asking([glibc]) },
    { name: "glibc without nss", ...all, ask: asking([...WITHOUT_NSS, glibc]) },
    { name: "musl, static", ...all, ask: asking([musl]) },
    { name: "getent", types: ["PTR"], tellsApart: false, ask: askGetent },
    { name: "c-ares, by node", ...text, program: "node", ask: asking([...node, "cares"]) },
    {
      name: "node's lookup",
      types: ["PTR"],
      tellsApart: true,
      program: "node",
      ask: asking([...node, "lookup"]),
    },
    { name: "hickory, by Deno", ...text, tellsApart: false, ask: asking([...deno, "deno"]) },
    { name: "Go", ...mute, ask: askGo(`${packages}/usr/bin/gobuster`) },
    { name: "A and AAAA at once from one socket", ...all, ask: asking([...deno, "pair"]) },
    { name: "dig", ...all, ask: askDig },
    // It asks for HTTPS wherever it asks for addresses.
    {
      name: "Chromium's own",
      types: ["HTTPS"],
      tellsApart: true,
      program: "chromium",
      ask: browser(lab, "built-in"),
    },
    {
      name: "Chromium by getaddrinfo",
      ...names,
      program: "chromium",
      ask: browser(lab, "system"),
    },
  ];
  return clients.filter(isThere);
}

/** What a client can ask, of some questions. */
export function askable({ types }: Client, questions: readonly string[]): string[] {
  return questions.filter((question) => {
    const [, type] = question.split("/");
    return type === undefined || types.some((known) => known === type);
  });
}

/** What a client must see, told what there is to be seen. */
export function viewed({ tellsApart }: Client, word: string): string {
  return tellsApart || (word !== "nodata" && word !== "nxdomain") ? word : "none";
}

/** In CI nothing is left out: what is missing fails. */
function isThere({ name, program }: Client): boolean {
  const there = program === undefined || FOLDERS.some((folder) => exists(`${folder}/${program}`));
  if (!there) say(`Left out: ${name}, for there is no ${program} (deno task setup)`);
  return there || Deno.env.get("CI") !== undefined;
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Runs a command where nsswitch.conf knows nothing but files and DNS, as in a container: resolv.conf decides. */
const WITHOUT_NSS = [
  ...["unshare", "--mount", "--propagation", "private", "sh", "-euc"],
  `sed 's/^hosts:.*/hosts: files dns/' /etc/nsswitch.conf >/run/nsswitch.plain
   mount --bind /run/nsswitch.plain /etc/nsswitch.conf
   rm /run/nsswitch.plain
   exec "$@"`,
  "sh",
];

async function compile(
  lab: Lab,
  name: string,
  compiler: string,
  ...flags: string[]
): Promise<string> {
  const program = `${lab.directory}/resolve-${name}`;
  const { code, stderr } = await new Deno.Command(compiler, {
    args: ["-O2", "-Wall", "-Wextra", ...flags, "-o", program, here("tools/ask_libc.c")],
    stdin: "null",
  }).output();
  if (code !== 0) throw new Error(`${compiler}: ${new TextDecoder().decode(stderr)}`);
  return program;
}

function asking(command: readonly string[]): Client["ask"] {
  return async (host, questions) => {
    const stdout = await host.output([...command, ...questions], { timeoutMs: TIMEOUT_MS });
    return Object.fromEntries(
      stdout.split("\n").map((line) => {
        const space = line.indexOf(" ");
        return [line.slice(0, space), line.slice(space + 1)];
      }),
    );
  };
}

async function askGetent(host: Host, questions: readonly string[]): Promise<View> {
  const rows = questions.map(async (question) => {
    const [name = "", type] = question.split("/");
    const database = type === "PTR" ? "hosts" : "ahosts";
    const { stdout } = await host.run(["getent", database, name], { expect: [0, 2] });
    const words = stdout.trim().split("\n").map((line) => line.split(/\s+/));
    if (type === "PTR") return [question, words[0]?.[1] ?? "none"];
    const addresses = words.map(([address = ""]) => address);
    return [question, [...new Set(addresses)].toSorted().join(" ") || "none"];
  });
  return Object.fromEntries(await Promise.all(rows));
}

/** It asks for words below a domain, so a name is given as a word below its last label. */
function askGo(program: string): Client["ask"] {
  return async (host, questions) => {
    const domains = new Set(questions.map((name) => name.slice(name.lastIndexOf(".") + 1)));
    const found = new Map<string, string>();
    await Promise.all([...domains].map(async (domain) => {
      const words = questions.filter((name) => name.endsWith(`.${domain}`)).map((name) =>
        `${name.slice(0, -domain.length - 1)}\n`
      );
      const said = await host.output(
        [program, "dns", "-d", domain, "-w", "-", "-iqz", "--timeout", "5s"],
        { env: { GODEBUG: "netdns=go" }, stdin: words.join("") },
      );
      for (const [, name = "", list = ""] of said.matchAll(/Found: (\S+) \[(.*)\]/g)) {
        found.set(name, list.split(",").toSorted().join(" "));
      }
    }));
    return Object.fromEntries(questions.map((name) => [name, found.get(name) ?? "none"]));
  };
}

async function askDig(host: Host, questions: readonly string[]): Promise<View> {
  const rows = questions.map(async (question) => {
    const [name = "", type] = question.split("/");
    const asked = type === undefined
      ? [name, "A", name, "AAAA"]
      : type === "PTR"
      ? ["-x", name]
      : [name, type];
    const text = await host.output(["dig", "+tries=1", "+timeout=5", ...asked]);
    const codes = [...new Set([...text.matchAll(/status: ([A-Z]+)/g)].map(([, code]) => code))];
    const records = text.split("\n").filter((line) => /^[^;\s]/.test(line) && !/\sSOA\s/.test(line))
      .map((line) => line.split(/\s+/).at(-1) ?? "");
    if (codes.join() === "NXDOMAIN") return [question, "nxdomain"];
    if (codes.join() !== "NOERROR") return [question, codes.join(" and ")];
    if (records.length === 0) return [question, "nodata"];
    if (type === "PTR") return [question, records.join(" ").replace(/\.$/, "")];
    return [question, type === undefined ? records.toSorted().join(" ") : "data"];
  });
  return Object.fromEntries(await Promise.all(rows));
}

function browser(lab: Lab, resolver: "built-in" | "system"): Client["ask"] {
  return async (host, questions) => {
    const directory = `${lab.directory}/chromium-${resolver}-${host.name}`;
    await Deno.mkdir(directory);
    return await askChromium(host, directory, resolver, questions);
  };
}
