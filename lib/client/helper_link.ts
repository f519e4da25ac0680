/**
 * The daemon's side of the privileged helper: asks, and gets values and descriptors back.
 *
 * @module
 */
import type { z } from "zod";
import {
  type Applied,
  AppliedSchema,
  type Detected,
  DetectedSchema,
  type DnsMode,
  FoundProgramSchema,
  HELPER_PROTOCOL,
  type HelperReply,
  HelperReplySchema,
  type HelperRequest,
  type Opened,
  OpenedSchema,
} from "../config/mod.ts";
import { NetworkError, OsError, ProtocolError, VnetError } from "../error.ts";
import {
  type Endpoint,
  formatIp,
  formatPrefix,
  type IpAddress,
  parseIp,
  type Prefix,
} from "../ip/mod.ts";
import { closeFd, SeqpacketSocket, type Shim } from "../os/mod.ts";

const DEADLINE_MS = 15_000;

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

/** What the link needs of the machine. */
export interface LinkRequest {
  /** `null` for the first name that is free. */
  readonly link: string | null;
  readonly self4: string;
  readonly range: Prefix;
  readonly ipv6: { readonly self: string; readonly prefix: Prefix } | null;
}

type Unnumbered = HelperRequest extends infer R ? R extends unknown ? Omit<R, "v" | "id"> : never
  : never;

interface Answer {
  readonly value: unknown;
  readonly fds: readonly number[];
}

/** A connection to the helper. Closing it makes the helper take everything back. */
export class HelperLink implements AsyncDisposable {
  readonly #shim: Shim;
  readonly #socket: SeqpacketSocket;
  readonly #pending = new Map<number, PromiseWithResolvers<Answer>>();
  readonly #stop = new AbortController();
  readonly #onEvent: (event: HelperEvent) => void;
  readonly #reading: Promise<void>;
  #nextId = 1;
  #lost = false;

  private constructor(
    shim: Shim,
    socket: SeqpacketSocket,
    onEvent: (event: HelperEvent) => void,
  ) {
    this.#shim = shim;
    this.#socket = socket;
    this.#onEvent = onEvent;
    this.#reading = this.#read();
  }

  /** Takes over one end of a socket pair; the helper has the other. */
  static open(
    shim: Shim,
    descriptor: number,
    onEvent: (event: HelperEvent) => void,
  ): HelperLink {
    return new HelperLink(shim, SeqpacketSocket.inherited(shim, descriptor), onEvent);
  }

  async detect(mode: DnsMode): Promise<Detected> {
    return (await this.#ask({ op: "detect", mode }, DetectedSchema)).value;
  }

  /** Makes the link. The caller owns the descriptors. */
  async open(
    request: LinkRequest,
  ): Promise<{ opened: Opened; tunFd: number; raw4Fd: number; raw6Fd: number | null }> {
    const { value, fds } = await this.#ask({
      op: "open",
      link: request.link,
      ipv4: { self: request.self4, range: formatPrefix(request.range) },
      ipv6: request.ipv6 === null
        ? null
        : { self: request.ipv6.self, prefix: formatPrefix(request.ipv6.prefix) },
    }, OpenedSchema);
    const [tunFd, raw4Fd, raw6Fd] = fds;
    if (tunFd === undefined || raw4Fd === undefined) {
      for (const fd of fds) closeFd(this.#shim, fd);
      throw new ProtocolError("helper-mismatch", "The helper sent no descriptors");
    }
    return { opened: value, tunFd, raw4Fd, raw6Fd: raw6Fd ?? null };
  }

  /** Opens UDP and TCP port 53 on 127.0.53.x. The caller owns the descriptors. */
  async dnsSockets(address: string): Promise<{ udpFd: number; tcpFd: number }> {
    const { fds } = await this.#ask({ op: "dns-sockets", address }, null);
    const [udpFd, tcpFd] = fds;
    if (udpFd === undefined || tcpFd === undefined) {
      for (const fd of fds) closeFd(this.#shim, fd);
      throw new ProtocolError("helper-mismatch", "The helper sent no descriptors");
    }
    return { udpFd, tcpFd };
  }

  /** Has a listener see only what comes from one address through the link; the descriptor stays the caller's. */
  async guard(listenerFd: number, source: IpAddress): Promise<void> {
    await this.#ask({ op: "guard", source: formatIp(source) }, null, [listenerFd]);
  }

  /** Sets routes and DNS to just this. */
  async apply(
    routes: readonly Prefix[],
    dns: { readonly mode: DnsMode; readonly server: Endpoint; readonly zones: readonly string[] },
  ): Promise<{ applied: Applied; upstreams: readonly Endpoint[] }> {
    const { value } = await this.#ask({
      op: "apply",
      routes: routes.map(formatPrefix),
      dns: {
        mode: dns.mode,
        server: { address: formatIp(dns.server.address), port: dns.server.port },
        zones: [...dns.zones],
      },
    }, AppliedSchema);
    return { applied: value, upstreams: value.upstreams.map(parseUpstream) };
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
  async revert(): Promise<void> {
    await this.#ask({ op: "revert" }, null);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#reading;
    await this.#socket.close();
  }

  #ask(
    request: Unnumbered,
    schema: null,
    fds?: readonly number[],
  ): Promise<{ value: null; fds: readonly number[] }>;
  #ask<T>(
    request: Unnumbered,
    schema: z.ZodType<T>,
  ): Promise<{ value: T; fds: readonly number[] }>;
  async #ask<T>(
    request: Unnumbered,
    schema: z.ZodType<T> | null,
    fds: readonly number[] = [],
  ): Promise<{ value: T | null; fds: readonly number[] }> {
    if (this.#lost) throw lostError();
    const id = this.#nextId++;
    const pending = Promise.withResolvers<Answer>();
    this.#pending.set(id, pending);
    const timer = setTimeout(() => {
      pending.reject(
        new NetworkError("helper-stuck", "The helper does not answer", {
          hint: "Run `sudo vnet restart`",
        }),
      );
    }, DEADLINE_MS);
    try {
      const message = JSON.stringify({ v: HELPER_PROTOCOL, id, ...request });
      await this.#socket.send(new TextEncoder().encode(message), fds);
      const answer = await pending.promise;
      if (schema === null) return { value: null, fds: answer.fds };
      const parsed = schema.safeParse(answer.value);
      if (parsed.success) return { value: parsed.data, fds: answer.fds };
      for (const fd of answer.fds) closeFd(this.#shim, fd);
      throw new ProtocolError("helper-mismatch", "Cannot understand the helper's answer", {
        hint: "Helper and daemon may be of different versions; run `sudo vnet restart`",
        cause: parsed.error,
      });
    } finally {
      clearTimeout(timer);
      this.#pending.delete(id);
    }
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
    for (const pending of this.#pending.values()) pending.reject(lostError());
    if (!this.#stop.signal.aborted) this.#onEvent({ kind: "lost" });
  }

  #take(bytes: Uint8Array, fds: readonly number[]): void {
    const reply = parseReply(bytes);
    const pending = reply !== null && "id" in reply ? this.#pending.get(reply.id) : undefined;
    if (reply !== null && "ok" in reply && pending !== undefined) {
      pending.resolve({ value: reply.ok, fds });
      return;
    }
    for (const fd of fds) closeFd(this.#shim, fd);
    if (reply === null) return;
    if ("error" in reply) pending?.reject(errorFrom(reply.error));
    else if ("event" in reply) this.#onEvent(eventFrom(reply));
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

function lostError(): NetworkError {
  return new NetworkError("helper-lost", "The privileged helper is gone", {
    hint: "Run `sudo vnet restart`",
  });
}
