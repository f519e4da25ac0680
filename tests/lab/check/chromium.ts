/**
 * What Chromium makes of names, read from the log it keeps of its network: by its own resolver, or by the C library's.
 * A page with a picture at each name has it look them up. And what it lets a page's script do.
 *
 * @module
 */
import type { Host } from "../host/host.ts";
import type { View } from "./clients.ts";

/** `built-in` asks the servers of resolv.conf itself, over UDP; `system` calls getaddrinfo(3). */
export type ChromiumResolver = "built-in" | "system";

const FLAGS = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
];
const FEATURE: Readonly<Record<ChromiumResolver, string>> = {
  // It gives an answer of type HTTPS 50 ms after the addresses; with much else to do on the machine that is little.
  "built-in":
    "--enable-features=AsyncDns,UseDnsHttpsSvcb:UseDnsHttpsSvcbInsecureExtraTimeMin/10s/" +
    "UseDnsHttpsSvcbInsecureExtraTimeMax/10s",
  system: "--disable-features=AsyncDns",
};
const END = 2;
const HTTPS = 65;
const NXDOMAIN = 3;
const EAI_NONAME = -2;

/** An event of the log, by the names of chrome://net-export. */
interface NetEvent {
  readonly type: number;
  readonly phase: number;
  readonly source: { readonly id: number };
  readonly params?: {
    readonly host?: string;
    readonly hostname?: string;
    readonly query_type?: number;
    readonly rcode?: number;
    readonly answer_count?: number;
    readonly os_error?: number;
    readonly address_list?: readonly string[];
    readonly results?: readonly { readonly endpoints?: readonly { readonly address: string }[] }[];
  };
}

interface NetLog {
  readonly constants: { readonly logEventTypes: Readonly<Record<string, number>> };
  readonly events: readonly NetEvent[];
}

/** Has it look up names; `directory` takes its profile and its log. Types: HTTPS, by its own resolver. */
export async function askChromium(
  host: Host,
  directory: string,
  resolver: ChromiumResolver,
  questions: readonly string[],
): Promise<View> {
  const names = questions.filter((question) => !question.includes("/"));
  const page = names.map((name) => `<img src="http://${name}/">`).join("");
  const log = `${directory}/net.json`;
  // deno-fmt-ignore
  await host.run(["chromium", ...FLAGS, FEATURE[resolver], `--user-data-dir=${directory}/profile`,
    `--log-net-log=${log}`, "--timeout=10000", "--dump-dom", `data:text/html,${page}`], { env: { TMPDIR: directory } });
  const read = readerOf(JSON.parse(await Deno.readTextFile(log)), resolver);
  return Object.fromEntries(questions.map((question) => [question, read(question)]));
}

/**
 * Runs a script in a page that may ask any host for anything, as a page may ask its own.
 *
 * @param script Its text; what its function `say` is given comes back.
 */
export async function runInChromium(
  host: Host,
  directory: string,
  options: { readonly script: string; readonly flags?: readonly string[] },
): Promise<string> {
  const { script, flags = [] } = options;
  const say = "const say = (text) => document.querySelector('pre').append(text)";
  const page = `<pre></pre><script>${say}; ${script}</script>`;
  // deno-fmt-ignore
  const html = await host.output(["chromium", ...FLAGS, "--disable-web-security",
    "--disable-features=AsyncDns,LocalNetworkAccessChecks", ...flags, `--user-data-dir=${directory}/profile`,
    "--timeout=20000", "--dump-dom", `data:text/html,${encodeURIComponent(page)}`], { env: { TMPDIR: directory } });
  const [, said] = /<pre>(.*?)<\/pre>/s.exec(html) ?? [];
  if (said === undefined) throw new Error(`Chromium showed no page: ${html}`);
  return said;
}

/** Says what the log knows of a question, in the words of clients.ts. */
function readerOf(log: NetLog, resolver: ChromiumResolver): (question: string) => string {
  const ofType = (name: string) => {
    const type = log.constants.logEventTypes[name];
    if (type === undefined) throw new Error(`Chromium's log has no events "${name}"`);
    return log.events.filter((event) => event.type === type);
  };
  const jobs = ofType("HOST_RESOLVER_MANAGER_JOB");
  const transactions = ofType("DNS_TRANSACTION");
  const responses = ofType("DNS_TRANSACTION_RESPONSE");
  const tasks = ofType(
    resolver === "system" ? "HOST_RESOLVER_SYSTEM_TASK" : "HOST_RESOLVER_DNS_TASK",
  );
  /** What came back for the names, by type where one is given. */
  const codes = (name: string, type?: number): string[] => {
    const asked = sourcesOf(transactions, ({ hostname, query_type }) => {
      return hostname === name && (type === undefined || query_type === type);
    });
    return responses.filter(({ source }) => asked.has(source.id)).map(wordOf);
  };
  return (question) => {
    const [text = "", type] = question.split("/");
    const name = text.toLowerCase(); // A URL's host is lower case before anybody looks it up.
    if (type !== undefined) return codes(name, HTTPS)[0] ?? "never asked";
    const job = sourcesOf(jobs, ({ host }) => host === `http://${name}`);
    const end = tasks.find(({ phase, source }) => phase === END && job.has(source.id));
    if (end === undefined) return "never asked";
    const found = addressesOf(end);
    if (found.length > 0) return found.toSorted().join(" ");
    if (resolver === "built-in") return [...new Set(codes(name))].join(" and ");
    return end.params?.os_error === EAI_NONAME ? "nxdomain" : `error ${end.params?.os_error}`;
  };
}

type Params = NonNullable<NetEvent["params"]>;

function sourcesOf(events: readonly NetEvent[], fits: (params: Params) => boolean): Set<number> {
  return new Set(
    events.filter(({ params }) => params !== undefined && fits(params)).map(({ source }) =>
      source.id
    ),
  );
}

function wordOf({ params }: NetEvent): string {
  if (params?.rcode === NXDOMAIN) return "nxdomain";
  if (params?.rcode !== 0) return `code ${params?.rcode}`;
  return params.answer_count === 0 ? "nodata" : "data";
}

function addressesOf({ params }: NetEvent): string[] {
  const own = (params?.results ?? []).flatMap(({ endpoints = [] }) => endpoints);
  const system = params?.address_list ?? []; // "192.0.2.1:0", "[2001:db8::1]:0"
  return [
    ...own.map(({ address }) => address),
    ...system.map((text) => text.replace(/:0$/, "").replace(/^\[(.*)\]$/, "$1")),
  ];
}
