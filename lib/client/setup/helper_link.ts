/**
 * The daemon's side of the privileged helper: asks, and gets values and descriptors back.
 *
 * @module
 */
import type { z } from "zod";
import type { DnsMode } from "../../dns/mod.ts";
import {
  type Applied,
  AppliedSchema,
  type Detected,
  DetectedSchema,
  FoundProgramSchema,
  HELPER_BOUNDS_MS,
  HELPER_PROTOCOL,
  type HelperReply,
  HelperReplySchema,
  type HelperRequest,
  type Opened,
  OpenedSchema,
} from "../../wire/helper.ts";
import { NetworkError, OsError, ProtocolError, VnetError } from "../../error.ts";
import {
  type Endpoint,
  formatIp,
  formatPrefix,
  type IpAddress,
  parseIp,
  type Prefix,
} from "../../ip/mod.ts";
import type { Descriptor, MessageSocket, Sockets } from "../../os/mod.ts";

/** The helper keeps its bounds by itself; only one that hangs as a whole is waited for this much longer. */
const SLACK_MS = 2_000;

/** How long somebody may take over a password that polkit asks for. */
const PASSWORD_MS = 30_000;

/** What the helper says without being asked. */
export type HelperEvent =
  | { readonly kind: "upstreams"; readonly upstreams: readonly Endpoint[] }
  | {
    readonly kind: "warning";
    readonly code: string;
    readonly message: string;
    readonly hint?: string;
  }
  | { readonly kind: "lost" };

/** What is to be made: a link with its own addresses. */
interface LinkRequest {
  /** `null` for the first name that is free. */
  readonly link: string | null;
  readonly self4: string;
  readonly range: Prefix;
  readonly ipv6: { readonly self: string; readonly prefix: Prefix } | null;
}

/** How the machine's resolver is to be pointed at a DNS server of ours. */
interface DnsRequest {
  readonly mode: DnsMode;
  readonly server: Endpoint;
  readonly zones: readonly string[];
}

type Unnumbered = HelperRequest extends infer R ? R extends unknown ? Omit<R, "v" | "id"> : never
  : never;

/** When there is nobody left to wait for. */
export type Deadline = (op: HelperRequest["op"]) => AbortSignal;

interface Fulfilled {
  readonly value: unknown;
  readonly fds: readonly number[];
  readonly steps: readonly string[];
}

/** A request on its way. */
interface Pending extends PromiseWithResolvers<Omit<Fulfilled, "steps">> {
  readonly id: number;
  readonly steps: string[];
}

/** Where the helper is: the other end of an inherited pair, or behind the socket of its service. */
export type HelperEnd = { readonly descriptor: Descriptor } | { readonly path: string };

/** A connection to the helper. Closing it makes the helper take everything back. */
export class HelperLink implements AsyncDisposable {
  readonly #sockets: Sockets;
  readonly #socket: MessageSocket;
  #pending: Pending | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  readonly #stop = new AbortController();
  readonly #onEvent: (event: HelperEvent) => void;
  readonly #deadline: Deadline;
  readonly #reading: Promise<void>;
  #nextId = 1;
  #lost = false;
  /** Whether the other side is known to serve us: a service may hang up on whom it has no room for. */
  #greeted = true;

  private constructor(
    sockets: Sockets,
    socket: MessageSocket,
    onEvent: (event: HelperEvent) => void,
    deadline: Deadline,
  ) {
    this.#sockets = sockets;
    this.#socket = socket;
    this.#onEvent = onEvent;
    this.#deadline = deadline;
    this.#reading = this.#read();
  }

  /**
   * Takes over one end of a socket pair, or connects to the helper's service.
   *
   * @throws {OsError} `helper-missing` if there is no such service, `helper-denied` if this user may not use it.
   */
  static open(
    sockets: Sockets,
    end: HelperEnd,
    onEvent: (event: HelperEvent) => void,
    deadline: Deadline = deadlineOf(end),
  ): HelperLink {
    const socket = "path" in end
      ? connectHelper(sockets, end.path)
      : sockets.inheritMessages(end.descriptor);
    const link = new HelperLink(sockets, socket, onEvent, deadline);
    link.#greeted = !("path" in end);
    return link;
  }

  async detect(mode: DnsMode): Promise<Detected> {
    return (await this.#ask({ op: "detect", mode }, DetectedSchema)).value;
  }

  /** Makes the link. The caller owns the descriptors. */
  async open(
    request: LinkRequest,
  ): Promise<{
    opened: Opened;
    tunFd: Descriptor;
    raw4Fd: Descriptor;
    raw6Fd: Descriptor | null;
    /** What finds owners where the link is in another network; `null` where it is in this one. */
    diagFd: Descriptor | null;
    steps: readonly string[];
  }> {
    const { value, fds, steps } = await this.#ask({
      op: "open",
      link: request.link,
      ipv4: { self: request.self4, range: formatPrefix(request.range) },
      ipv6: request.ipv6 === null
        ? null
        : { self: request.ipv6.self, prefix: formatPrefix(request.ipv6.prefix) },
    }, OpenedSchema);
    const own = value.elsewhere ? fds.slice(0, -1) : fds;
    const diagFd = value.elsewhere ? fds.at(-1) ?? null : null;
    const [tunFd, raw4Fd, raw6Fd] = own;
    if (tunFd === undefined || raw4Fd === undefined) throw this.#missing(fds);
    return { opened: value, tunFd, raw4Fd, raw6Fd: raw6Fd ?? null, diagFd, steps };
  }

  /** Listens on an address of a link in another network, guarded. The caller owns the descriptor. */
  async listen(address: IpAddress, source: IpAddress): Promise<Descriptor> {
    const request = { op: "listen", address: formatIp(address), source: formatIp(source) } as const;
    const { fds } = await this.#ask(request, null);
    const [fd] = fds;
    if (fd === undefined) throw this.#missing(fds);
    return fd;
  }

  /** Opens UDP and TCP port 53 on 127.0.53.x, or on the link's own IPv6 address. The caller owns the descriptors. */
  async dnsSockets(address: string): Promise<{ udpFd: Descriptor; tcpFd: Descriptor }> {
    const { fds } = await this.#ask({ op: "dns-sockets", address }, null);
    const [udpFd, tcpFd] = fds;
    if (udpFd === undefined || tcpFd === undefined) throw this.#missing(fds);
    return { udpFd, tcpFd };
  }

  /** Has a listener see only what comes from one address through the link; the descriptor stays the caller's. */
  async guard(listenerFd: Descriptor, source: IpAddress): Promise<void> {
    await this.#ask({ op: "guard", source: formatIp(source) }, null, [listenerFd]);
  }

  /** Sets routes and DNS to just this; `null` has the machine's resolver as it was. */
  async apply(routes: readonly Prefix[], dns: DnsRequest | null): Promise<{
    applied: Applied;
    upstreams: readonly Endpoint[];
    steps: readonly string[];
  }> {
    const { value, steps } = await this.#ask({
      op: "apply",
      routes: routes.map(formatPrefix),
      dns: dns === null ? null : {
        mode: dns.mode,
        server: { address: formatIp(dns.server.address), port: dns.server.port },
        zones: [...dns.zones],
      },
    }, AppliedSchema);
    return { applied: value, upstreams: value.upstreams.map(parseUpstream), steps };
  }

  /** Names the file of the program that a connection into the link belongs to. */
  async program(source: Endpoint, destination: Endpoint): Promise<string | null> {
    const { value } = await this.#ask({
      op: "program",
      source: { address: formatIp(source.address), port: source.port },
      destination: { address: formatIp(destination.address), port: destination.port },
    }, FoundProgramSchema);
    return value.program;
  }

  /** Takes everything back; the connection stays. */
  async revert(): Promise<readonly string[]> {
    return (await this.#ask({ op: "revert" }, null)).steps;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#reading;
    await this.#socket.close();
  }

  /** One at a time: the helper answers in order, and a request's time begins when it is taken up. */
  #ask(request: Unnumbered, schema: null, fds?: readonly number[]): Promise<Fulfilled>;
  #ask<T>(request: Unnumbered, schema: z.ZodType<T>): Promise<Fulfilled & { readonly value: T }>;
  #ask(
    request: Unnumbered,
    schema: z.ZodType<unknown> | null,
    fds: readonly number[] = [],
  ): Promise<Fulfilled> {
    const turn = this.#turn.then(() => this.#askNow(request, schema, fds));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #askNow(
    request: Unnumbered,
    schema: z.ZodType<unknown> | null,
    fds: readonly number[],
  ): Promise<Fulfilled> {
    if (this.#lost) throw this.#lostError();
    const answer = await this.#exchange(request, fds);
    if (schema === null) return answer;
    const parsed = schema.safeParse(answer.value);
    if (parsed.success) return { ...answer, value: parsed.data };
    for (const fd of answer.fds) this.#sockets.close(fd);
    throw new ProtocolError("helper-mismatch", "Cannot understand the helper's answer", {
      hint: "Helper and daemon may be of different versions; run `sudo vnet restart`",
      cause: parsed.error,
    });
  }

  async #exchange(request: Unnumbered, fds: readonly number[]): Promise<Fulfilled> {
    const pending: Pending = { ...Promise.withResolvers(), id: this.#nextId++, steps: [] };
    const deadline = this.#deadline(request.op);
    const onLate = () => pending.reject(stuckError());
    deadline.addEventListener("abort", onLate, { once: true });
    if (deadline.aborted) onLate();
    this.#pending = pending;
    try {
      const message = JSON.stringify({ v: HELPER_PROTOCOL, id: pending.id, ...request });
      const sent = this.#socket.send(new TextEncoder().encode(message), fds, deadline);
      await Promise.race([sent, pending.promise]);
      return { ...await pending.promise, steps: pending.steps };
    } catch (thrown) {
      if (deadline.aborted) throw stuckError();
      throw thrown instanceof OsError && thrown.errno === "EPIPE" ? this.#lostError() : thrown;
    } finally {
      deadline.removeEventListener("abort", onLate);
      this.#pending = null;
    }
  }

  #missing(fds: readonly Descriptor[]): ProtocolError {
    for (const fd of fds) this.#sockets.close(fd);
    return new ProtocolError("helper-mismatch", "The helper sent no descriptors");
  }

  #lostError(): NetworkError {
    return this.#greeted
      ? new NetworkError("helper-lost", "The privileged helper is gone", {
        hint: "Run `sudo vnet restart`",
      })
      : new NetworkError("helper-refused", "The helper service hung up", {
        hint: "Ask root for `journalctl -u 'vnet-helper*'`; it serves a limited number of users",
      });
  }

  async #read(): Promise<void> {
    try {
      while (true) {
        const message = await this.#socket.receive(this.#stop.signal);
        if (message === null) break;
        this.#take(message.bytes, message.fds);
      }
    } catch {
      // Aborted, or the helper was killed; both end the link.
    }
    this.#lost = true;
    this.#pending?.reject(this.#lostError());
    if (!this.#stop.signal.aborted) this.#onEvent({ kind: "lost" });
  }

  #take(bytes: Uint8Array, fds: readonly number[]): void {
    const reply = parseReply(bytes);
    const isAsked = reply !== null && "id" in reply && reply.id === this.#pending?.id;
    const pending = isAsked ? this.#pending : null;
    if (reply !== null && "ok" in reply && pending !== null) {
      this.#greeted = true;
      pending.resolve({ value: reply.ok, fds });
      return;
    }
    for (const fd of fds) this.#sockets.close(fd);
    if (reply === null) return;
    this.#greeted = true;
    if ("error" in reply) pending?.reject(errorFrom(reply.error));
    else if ("steps" in reply) pending?.steps.push(...reply.steps);
    else if ("event" in reply) this.#onEvent(eventFrom(reply));
  }
}

/** A service may ask its user for a password first. */
function deadlineOf(end: HelperEnd): Deadline {
  const passwordMs = "path" in end ? PASSWORD_MS : 0;
  return (op) => {
    const extraMs = op === "detect" ? passwordMs : 0;
    return AbortSignal.timeout(HELPER_BOUNDS_MS[op] + SLACK_MS + extraMs);
  };
}

function connectHelper(sockets: Sockets, path: string): MessageSocket {
  try {
    return sockets.connectMessages(path);
  } catch (cause) {
    if (!(cause instanceof OsError)) throw cause;
    const { call, errno } = cause;
    if (errno === "EACCES" || errno === "EPERM") {
      throw new OsError(
        "helper-denied",
        "Cannot use the helper service: you are not in group vnet",
        {
          call,
          errno,
          hint:
            "Run `sudo usermod -aG vnet $USER` and log in to this machine again, or run `sudo vnet up`",
          cause,
        },
      );
    }
    throw new OsError("helper-missing", "Cannot reach the helper service: nobody listens", {
      call,
      errno,
      hint: "Run `sudo vnet service install`, or run `sudo vnet up`",
      cause,
    });
  }
}

function parseReply(bytes: Uint8Array): HelperReply | null {
  try {
    return HelperReplySchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return null;
  }
}

function eventFrom(reply: Extract<HelperReply, { event: string }>): HelperEvent {
  return reply.event === "upstreams"
    ? { kind: "upstreams", upstreams: reply.upstreams.map(parseUpstream) }
    : {
      kind: "warning",
      code: reply.code,
      message: reply.message,
      ...(reply.hint === undefined ? {} : { hint: reply.hint }),
    };
}

function parseUpstream(upstream: { readonly address: string; readonly port: number }): Endpoint {
  return { address: parseIp(upstream.address), port: upstream.port };
}

function errorFrom(error: Extract<HelperReply, { error: unknown }>["error"]): VnetError {
  const hint = error.hint === null ? {} : { hint: error.hint };
  return error.call === null
    ? new VnetError(error.code, error.message, hint)
    : new OsError(error.code, error.message, {
      call: error.call,
      errno: error.errno ?? "EUNKNOWN",
      ...hint,
    });
}

function stuckError(): NetworkError {
  return new NetworkError("helper-stuck", "The helper does not answer", {
    hint: "Run `sudo vnet restart`",
  });
}
