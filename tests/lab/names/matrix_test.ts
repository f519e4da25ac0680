/**
 * Every kind of host, by thirteen checks; and every resolver library that programs come with, on every kind of host:
 * all get the same answers, whoever looks after DNS. Two tables say what was seen.
 */
import { deepEqual, equal, match } from "node:assert/strict";
import type { AppsV1 } from "../../../lib/status/mod.ts";
import {
  askable,
  type Client,
  CLIENT_PACKAGES,
  openClients,
  type View,
  viewed,
} from "../check/clients.ts";
import type { Host } from "../host/host.ts";
import type { Lab } from "../host/lab.ts";
import { HOST_KINDS, HOST_PACKAGES, type HostKind } from "../host/kinds.ts";
import { story } from "../host/needs.ts";
import { fetchPackages } from "../host/packages.ts";
import { killQuietly } from "../host/process.ts";
import { say } from "../host/say.ts";
import { Table } from "../check/table.ts";
import { difference, everything } from "../check/traces.ts";
import { type Status, Vnet } from "../world/vnet.ts";
import { openLanHost, World } from "../world/world.ts";
import { until } from "../host/wait.ts";

const APP = "web.vnet.example.com";
const OTHER_CASE = "wEb.vNeT.eXaMpLe.CoM";
const CUSTOM = "www.company.test";
const UNKNOWN = "nobody.company.test";
const FOREIGN = "www.example.com";
const BIG = "big.example.com";
const BIG_BYTES = 3_000;
/** What a dead daemon was listening on; the next one takes its place. */
const DEAD_SOCKET = /^\+ \/run\/vnet\/0\/(control|apps)\.sock s 600 0:0$/;
/** How long the guard may take, on a machine with much else to do, to give the host its resolver back. */
const AGAIN_MS = 10_000;
/** Checks a host must pass. */
const CHECKS = 13;

/** What the provider's resolver says of our names shows who asked it. */
const LEAKS = [
  `--host-record=${APP},203.0.113.99,2001:db8:113::99`,
  `--host-record=${CUSTOM},203.0.113.99`,
  `--txt-record=${APP},leak`,
  "--bogus-priv",
  `--txt-record=${BIG},${Array(BIG_BYTES / 100).fill("x".repeat(100)).join(",")}`,
];
const unfetched = await fetchPackages(...HOST_PACKAGES, CLIENT_PACKAGES);

story(
  "matrix: thirteen checks on seven kinds of host, and every client gets the same answers there",
  async (step, lab) => {
    const world = await World.openWith(lab, LEAKS, "nginx");
    const clients = await openClients(lab);
    const columns = HOST_KINDS.map(({ name }) => name);
    const checks = new Table(step, columns);
    const views = new Table(step, columns);
    for (const [index, kind] of HOST_KINDS.entries()) {
      const octet = 30 + index;
      const host = await openLanHost(lab, world.router, kind.name, octet);
      await new Visit({ lab, world, host, kind, octet, checks, views, clients }).run();
      await host.close();
    }
    say(checks.render("checks that held"));
    say(views.render("clients that got the same answers"));
    await step("every cell of both tables is there and holds", () => {
      equal(checks.count(), `${CHECKS * HOST_KINDS.length} of ${CHECKS * HOST_KINDS.length}`);
      const cells = clients.length * HOST_KINDS.length;
      equal(views.count(), `${cells} of ${cells}`);
    });
  },
  unfetched,
);

interface VisitOptions {
  readonly lab: Lab;
  readonly world: World;
  readonly host: Host;
  readonly kind: HostKind;
  /** The last of its IPv4 and IPv6 addresses. */
  readonly octet: number;
  readonly checks: Table;
  readonly views: Table;
  readonly clients: readonly Client[];
}

/** One host's part of both tables: the host as it was, vnet up, its end by kill -9, the host again. */
class Visit {
  readonly #options: VisitOptions;
  readonly #host: Host;
  readonly #vnet: Vnet;

  constructor(options: VisitOptions) {
    this.#options = options;
    this.#host = options.host;
    this.#vnet = new Vnet(options.host);
  }

  async run(): Promise<void> {
    const { kind, lab, world } = this.#options;
    await kind.prepare(lab, this.#host);
    await this.#giveIpv6();
    await world.login(this.#vnet);
    const before = await everything(this.#host);
    const others = this.#host.processes().length;
    await this.#check("a public name before", () => this.#publicName());
    await this.#vnet.run(["up", "--detach"]);
    const { dns } = await this.#vnet.json<Status>(["status"]);
    equal(dns?.backend, kind.backend);
    await this.#checkAnswers();
    await this.#kill(dns.server);
    await this.#check("after kill -9: a public name", () => this.#publicNameAgain());
    await this.#check("after kill -9: nothing left behind", async () => {
      await until("vnet is gone", 5_000, () => this.#host.processes().length === others);
      const traces = difference(before, await everything(this.#host));
      const foreign = traces.filter((line) => !(kind.keeps ?? /^$/).test(line));
      deepEqual(foreign.filter((line) => !DEAD_SOCKET.test(line)), []);
    });
    await this.#check("a public name after", async () => {
      await this.#vnet.run(["down"]);
      await this.#publicName();
    });
  }

  /** Chromium asks for AAAA only where there is a way to IPv6 hosts; NetworkManager takes it away. */
  async #giveIpv6(): Promise<void> {
    await this.#host.script(`
      ip -6 address replace 2001:db8:77::${this.#options.octet}/64 dev eth0 nodad
      ip -6 route replace default via 2001:db8:77::1
    `);
  }

  /** Has every client ask, all at once, and fills the cells of what they saw. */
  async #checkAnswers(): Promise<void> {
    const { clients, kind, views } = this.#options;
    const wanted = await this.#wanted();
    const questions = Object.keys(wanted);
    const seen = await Promise.all(
      clients.map((client) =>
        client.ask(this.#host, askable(client, questions)).catch((error): View => ({
          failed: String(error),
        }))
      ),
    );
    const byName = new Map(clients.map(({ name }, index) => [name, seen[index] ?? {}]));
    await this.#checkUp(wanted, byName);
    for (const client of clients) {
      const rows = askable(client, questions).map((question) => [
        question,
        viewed(client, wanted[question] ?? ""),
      ]);
      await views.cell(kind.name, client.name, () => {
        deepEqual(byName.get(client.name), Object.fromEntries(rows));
      });
    }
  }

  /** The seven checks of answers are read off what the clients saw; the others are made here. */
  async #checkUp(wanted: View, views: ReadonlyMap<string, View>): Promise<void> {
    const saw = (client: string, ...questions: string[]) => {
      const view = views.get(client) ?? {};
      const rows = questions.map((question) => [question, view[question]]);
      deepEqual(rows, questions.map((question) => [question, wanted[question]]));
    };
    await this.#check("A and AAAA of an app", () => saw("glibc", APP));
    await this.#check("an app in a custom zone", () => saw("glibc", CUSTOM));
    await this.#check("an unknown name in a zone: NXDOMAIN", () => saw("dig", UNKNOWN));
    await this.#check("a public name while up", () => saw("glibc", FOREIGN));
    await this.#check(
      "a program built with musl",
      () => saw("musl, static", APP, UNKNOWN, FOREIGN),
    );
    await this.#check("dig by the host's resolver", () => saw("dig", APP, CUSTOM, FOREIGN));
    await this.#check("HTTPS of an app: NODATA", () => saw("dig", `${APP}/HTTPS`));
    await this.#check("a large answer, cut short and asked for by TCP", async () => {
      const text = await this.#host.output(["dig", "+short", BIG, "TXT"]);
      equal(text.replace(/[" ]/g, "").length, BIG_BYTES);
    });
    await this.#check("curl reaches the app", async () => {
      const curl = ["curl", "-sS", "--max-time", "10", `http://${APP}/`];
      equal(await this.#host.output(curl), "port 80");
    });
  }

  /** What clients must say: the addresses that vnet itself names, and what the provider knows. */
  async #wanted(): Promise<View> {
    const { apps } = await this.#vnet.json<AppsV1>(["apps", "ls"]);
    const entries = apps.flatMap(({ addresses }) => addresses);
    const addresses = (name: string) => {
      const entry = entries.find((entry) => entry.name === name);
      return `${entry?.ipv4} ${entry?.ipv6}`;
    };
    const app = addresses(APP);
    match(app, /^100\.100\.\d+\.\d+ fd/);
    return {
      [APP]: app,
      [OTHER_CASE]: app,
      [`${APP}/TXT`]: "nodata",
      [`${APP}/HTTPS`]: "nodata",
      [CUSTOM]: addresses(CUSTOM),
      [`${CUSTOM}/TXT`]: "nodata",
      [UNKNOWN]: "nxdomain",
      [`${UNKNOWN}/TXT`]: "nxdomain",
      [FOREIGN]: "198.51.100.80 2001:db8:198::80",
      [`${FOREIGN}/TXT`]: "data",
      ...Object.fromEntries(app.split(" ").map((address) => [`${address}/PTR`, APP])),
    };
  }

  #check(name: string, holds: () => void | Promise<void>): Promise<void> {
    return this.#options.checks.cell(this.#options.kind.name, name, holds);
  }

  async #publicName(): Promise<void> {
    match(await this.#host.output(["getent", "ahostsv4", FOREIGN]), /^198\.51\.100\.80 /);
  }

  async #publicNameAgain(): Promise<void> {
    const began = performance.now();
    await until(
      "public names resolve",
      AGAIN_MS,
      () => this.#publicName().then(() => true, () => false),
    );
    say(
      `${this.#host.name}: public names resolve ${
        (performance.now() - began).toFixed(0)
      } ms after kill -9`,
    );
  }

  /** Kills daemon and helper, as nobody expects it; their guard lives. */
  async #kill(server: string): Promise<void> {
    const victims = this.#host.processes().filter(({ command }) =>
      command.includes("daemon") || command.includes("helper")
    );
    say(`${this.#host.name}# kill -9 ${victims.map(({ pid }) => pid).join(" ")}`);
    for (const { pid } of victims) killQuietly(pid, "SIGKILL");
    // A question that a dying process still takes is lost, and the C library waits five seconds for it.
    await until("nobody listens any more", 2_000, () => !isBound(this.#host, server));
  }
}

/** Says whether a UDP socket of a host is bound to an endpoint of IPv4, given as text. */
function isBound(host: Host, endpoint: string): boolean {
  const [address = "", port = ""] = endpoint.split(":");
  const bytes = address.split(".").map(Number).reverse(); // The kernel prints them as a number of its own order.
  const hex = (value: number, digits: number) =>
    value.toString(16).toUpperCase().padStart(digits, "0");
  const local = `${bytes.map((byte) => hex(byte, 2)).join("")}:${hex(Number(port), 4)}`;
  return Deno.readTextFileSync(`/proc/${host.pid}/net/udp`).includes(` ${local} `);
}
