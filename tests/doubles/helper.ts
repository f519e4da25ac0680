/**
 * A privileged helper in memory: it speaks the real protocol over a socket of messages, does to a machine in memory
 * what the real one does to Linux, and can be told to fail, to hang or to vanish.
 *
 * @module
 */
import {
  formatIp,
  formatPrefix,
  parseEndpoint,
  parseIp,
  parsePrefix,
  type Prefix,
} from "../../lib/ip/mod.ts";
import type { Descriptor, MessageSocket } from "../../lib/os/mod.ts";
import {
  type Applied,
  type Detected,
  type HelperError,
  type HelperReply,
  type HelperRequest,
  HelperRequestSchema,
} from "../../lib/wire/helper.ts";
import type { MemoryMachine } from "./machine.ts";

type Op = HelperRequest["op"];
type Request<O extends Op> = Extract<HelperRequest, { op: O }>;

interface Done {
  readonly value: unknown;
  readonly fds?: readonly Descriptor[];
  readonly steps?: readonly string[];
}

/** A helper; it serves one client at a time, as long as that stays. */
export class MemoryHelper implements AsyncDisposable {
  /** What it was asked, in order. */
  readonly asked: HelperRequest[] = [];
  /** Descriptors of listeners that it was to guard, by the address that may connect. */
  readonly guarded: string[] = [];
  /** Whether its link is in another network than the client. */
  elsewhere = false;
  /** What the answers say; a test may change it. */
  detected: Detected = {
    backend: "resolved",
    why: ["a test"],
    warnings: [],
    needs_port_53: false,
    ranges: [],
  };
  applies: Pick<Applied, "upstreams" | "search" | "warnings"> = {
    upstreams: [{ address: "192.0.2.53", port: 53 }],
    search: [],
    warnings: [],
  };
  program: string | null = "/usr/bin/psql";
  readonly #machine: MemoryMachine;
  readonly #failures = new Map<Op, HelperError[]>();
  readonly #hanging = new Set<Op>();
  #client: MessageSocket | null = null;
  #serving: Promise<void> = Promise.resolve();
  #vanished = false;
  #link: string | null = null;
  #inForce: Request<"apply"> | null = null;

  constructor(machine: MemoryMachine) {
    this.#machine = machine;
  }

  /** Begins to serve the other end of a pair. @returns The client's end, for `HelperLink.open`. */
  start(): { readonly descriptor: Descriptor } {
    const { sockets } = this.#machine;
    const [own, theirs] = sockets.messagePair();
    this.#accept(sockets.adoptMessages(own));
    return { descriptor: theirs };
  }

  /** Serves whoever connects to a path, as the service does. */
  listen(path: string): { readonly path: string } {
    this.#machine.sockets.serveMessages(path, (client) => this.#accept(client));
    return { path };
  }

  /** The routes and the resolver's settings it was last asked for; `null` before, and once it took them back. */
  get inForce(): Pick<Request<"apply">, "routes" | "dns"> | null {
    return this.#inForce;
  }

  /** How often it was asked for something. */
  count(op: Op): number {
    return this.asked.filter((request) => request.op === op).length;
  }

  /** Has it refuse the next request of a kind; several wait in line. */
  fail(op: Op, code: string, detail: Partial<HelperError> = {}): void {
    const error = { code, message: `No: ${code}`, hint: null, call: null, errno: null, ...detail };
    this.#failures.set(op, [...this.#failures.get(op) ?? [], error]);
  }

  /** Has it never answer requests of a kind. */
  hang(op: Op): void {
    this.#hanging.add(op);
  }

  /** Tells its client something unasked. */
  async tell(event: Extract<HelperReply, { event: string }>): Promise<void> {
    await this.#send(event);
  }

  /** Tells of other resolvers. */
  async tellUpstreams(...endpoints: readonly string[]): Promise<void> {
    const upstreams = endpoints.map(parseEndpoint)
      .map(({ address, port }) => ({ address: formatIp(address), port }));
    await this.tell({ event: "upstreams", upstreams });
  }

  /** Is killed: takes nothing back, and its client hears nothing but the end. */
  async vanish(): Promise<void> {
    this.#vanished = true;
    await this.#client?.close();
    await this.#serving;
  }

  /** Settles when its client is gone, and everything is taken back. */
  get ended(): Promise<void> {
    return this.#serving;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.vanish();
  }

  #accept(client: MessageSocket): void {
    this.#client = client;
    this.#serving = this.#serve(client);
  }

  async #serve(client: MessageSocket): Promise<void> {
    for (;;) {
      const message = await client.receive();
      if (message === null) break;
      const request = HelperRequestSchema.parse(
        JSON.parse(new TextDecoder().decode(message.bytes)),
      );
      this.asked.push(request);
      if (!this.#hanging.has(request.op)) await this.#answer(request);
      for (const descriptor of message.fds) this.#machine.sockets.close(descriptor);
    }
    if (!this.#vanished) this.#takeBack();
    await client.close();
  }

  async #answer(request: HelperRequest): Promise<void> {
    const { id, op } = request;
    const error = this.#failures.get(op)?.shift();
    if (error !== undefined) return await this.#send({ id, error });
    const { value, fds = [], steps = [] } = this.#perform(request);
    if (steps.length > 0) await this.#send({ id, steps: [...steps] });
    await this.#send({ id, ok: value }, fds);
    for (const descriptor of fds) this.#machine.sockets.close(descriptor);
  }

  #perform(request: HelperRequest): Done {
    switch (request.op) {
      case "detect":
        return { value: this.detected };
      case "open":
        return this.#open(request);
      case "dns-sockets":
        return this.#dnsSockets(request);
      case "apply":
        return this.#apply(request);
      case "guard":
        this.guarded.push(request.source);
        return { value: {} };
      case "listen": {
        const endpoint = { address: parseIp(request.address), port: 0 };
        this.guarded.push(request.source);
        return { value: {}, fds: [this.#machine.sockets.listenTcp(endpoint)] };
      }
      case "program":
        return { value: { program: this.program } };
      case "revert":
        return { value: {}, steps: this.#takeBack() };
      default:
        return request satisfies never;
    }
  }

  #open(request: Request<"open">): Done {
    const { routing, sockets } = this.#machine;
    const { name, ifindex } = routing.addLink(request.link ?? "vnet%d");
    this.#link = name;
    routing.addAddress(`${request.ipv4.self}/32`, name);
    const hasIpv6 = request.ipv6 !== null && routing.ipv6;
    if (request.ipv6 !== null && hasIpv6) routing.addAddress(`${request.ipv6.self}/128`, name);
    const tun = { what: `tun ${name}`, end: () => routing.removeLink(name) };
    const raws = hasIpv6 ? ["raw 4", "raw 6"] : ["raw 4"];
    return {
      value: {
        link: name,
        ifindex,
        vnet_header: true,
        has_ipv6: hasIpv6,
        elsewhere: this.elsewhere,
      },
      fds: [tun, ...[...raws, ...this.elsewhere ? ["diag"] : []].map((what) => ({ what }))]
        .map((thing) => sockets.descriptors.add(thing)),
      steps: [`tun add ${name}`],
    };
  }

  #dnsSockets({ address }: Request<"dns-sockets">): Done {
    const { sockets } = this.#machine;
    const endpoint = { address: parseIp(address), port: 53 };
    return { value: {}, fds: [sockets.listenUdp(endpoint), sockets.listenTcp(endpoint)] };
  }

  #apply(request: Request<"apply">): Done {
    this.#setRoutes(request.routes.map(parsePrefix));
    this.#inForce = request;
    const { backend, why } = request.dns === null ? { backend: "none", why: [] } : this.detected;
    const applied: Applied = { backend, why, ...this.applies };
    return { value: applied, steps: request.routes.map((route) => `route add ${route}`) };
  }

  #setRoutes(routes: readonly Prefix[]): void {
    const { routing } = this.#machine;
    const link = this.#link;
    if (link === null) throw new TypeError("Nothing is open yet");
    for (const old of routing.routesOf(link)) routing.removeRoute(formatPrefix(old), link);
    for (const route of routes) routing.addRoute(formatPrefix(route), link);
  }

  #takeBack(): readonly string[] {
    const link = this.#link;
    this.#link = null;
    this.#inForce = null;
    if (link === null) return [];
    this.#machine.routing.removeLink(link);
    return [`tun delete ${link}`];
  }

  async #send(reply: HelperReply, fds: readonly Descriptor[] = []): Promise<void> {
    await this.#client?.send(new TextEncoder().encode(JSON.stringify(reply)), fds);
  }
}
