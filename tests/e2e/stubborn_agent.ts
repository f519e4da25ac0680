/**
 * An agent that serves whoever the proxy lets through to it, and hears of no lock: what it does not do, the proxy
 * must.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { WebSocket } from "ws";
import { type AgentApp, type JoinResponse, JoinResponseSchema } from "../../lib/wire/mod.ts";
import {
  createTlsContext,
  dialServer,
  dialTcp,
  generateKeyPair,
  HttpClient,
  serveCarrier,
  type ServerSettings,
  startTlsServer,
  type TlsIdentity,
  TlsStream,
} from "../../lib/io/mod.ts";
import { APP_PROTOCOL, encodePreface } from "../../lib/tunnel/mod.ts";
import { never, type TestCluster } from "./cluster.ts";

/** How the proxy closed a control channel. */
export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** The limits of a token, and who joins with it. */
interface TokenLimits {
  readonly agent?: string;
  readonly apps?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly public_addrs?: readonly string[];
}

interface Offered {
  readonly name: string;
  readonly port: number;
  readonly offer?: Partial<AgentApp>;
}

/** An answer to hello. */
export interface Welcome {
  readonly refused: readonly {
    readonly app: string;
    readonly reason: string;
    readonly code?: string;
    readonly public_addr?: string;
  }[];
}

export class StubbornAgent implements AsyncDisposable {
  readonly agentId: string;
  /** Resolves when it was asked for a data channel. */
  readonly asked: Promise<void>;
  /** Whether it opens the data channels that it is asked for. */
  answers = true;
  /** Sees every message of the proxy. */
  onMessage: (message: { readonly type: string } & Record<string, unknown>) => void = () => {};
  readonly #asked = Promise.withResolvers<void>();
  readonly #cluster: TestCluster;
  readonly #app: Offered;
  readonly #stop = new AbortController();
  readonly #carriers = new Set<Promise<void>>();
  readonly #sockets = new Set<WebSocket>();
  #identity: TlsIdentity;

  private constructor(
    cluster: TestCluster,
    app: Offered,
    joined: { readonly answer: JoinResponse; readonly privateKeyPem: string },
  ) {
    this.#cluster = cluster;
    this.#app = app;
    this.asked = this.#asked.promise;
    this.agentId = joined.answer.agent_id;
    this.#identity = {
      certificatePem: joined.answer.certificate,
      privateKeyPem: joined.privateKeyPem,
    };
  }

  /** Joins with a token, for any app unless it has limits; it serves once {@link connect} has resolved. */
  static async join(
    cluster: TestCluster,
    app: {
      readonly name: string;
      readonly port: number;
      /** What it tells of the app, beside the name. */
      readonly offer?: Partial<AgentApp>;
    },
    limits: TokenLimits = {},
  ): Promise<StubbornAgent> {
    const { agent = "stubborn", apps, labels = {}, public_addrs } = limits;
    const { token } = await cluster.server.auth.admin.addToken({
      kind: "app",
      any: apps === undefined && Object.keys(labels).length === 0,
      labels,
      ...(apps === undefined ? {} : { apps: [...apps] }),
      ...(public_addrs === undefined ? {} : { public_addrs: [...public_addrs] }),
      ttl_seconds: 600,
      uses: 1,
    });
    const joined = await ask(cluster.settings(), "/v1/join", {
      token,
      kind: "app",
      name: agent,
      apps: [app.name],
    });
    return new StubbornAgent(cluster, app, joined);
  }

  /** Takes a new certificate, for the channels to come. */
  async renew(): Promise<void> {
    const renewed = await ask(this.#settings(), "/v1/agent/renew", { apps: [this.#app.name] });
    this.#identity = {
      certificatePem: renewed.answer.certificate,
      privateKeyPem: renewed.privateKeyPem,
    };
  }

  /** Opens a control channel. Resolves when it is welcome; rejects with the proxy's answer when it is not. */
  async connect(): Promise<
    {
      readonly closed: Promise<Closed>;
      readonly socket: WebSocket;
      /** The first answer to its hello, and those that were told later. */
      readonly welcomes: readonly Welcome[];
    }
  > {
    const secured = await dialServer(this.#settings(), ["http/1.1"]);
    const socket = new WebSocket("ws://127.0.0.1/v1/agent", {
      createConnection: (() => secured) as never,
      perMessageDeflate: false,
    });
    this.#sockets.add(socket);
    const welcomed = Promise.withResolvers<void>();
    const welcomes: Welcome[] = [];
    const closed = Promise.withResolvers<Closed>();
    socket.on("error", (error) => welcomed.reject(error));
    socket.on("close", (code, reason) => {
      welcomed.reject(new Error("The proxy closed the channel"));
      closed.resolve({ code, reason: String(reason) });
    });
    socket.on("open", () => socket.send(JSON.stringify(this.hello())));
    socket.on("message", (data) => {
      const message = JSON.parse(Buffer.from(data as Uint8Array).toString());
      if (message.type === "welcome") {
        welcomes.push(message);
        welcomed.resolve();
      }
      this.onMessage(message);
      if (message.type === "ping") socket.send('{"type":"pong"}');
      if (message.type !== "dial") return;
      this.#asked.resolve();
      if (this.answers) this.#answer(message.ticket);
    });
    await welcomed.promise;
    return { closed: closed.promise, socket, welcomes };
  }

  hello() {
    return {
      type: "hello",
      version: "0.1.0",
      apps: [{
        name: this.#app.name,
        public_addrs: [],
        labels: { env: "dev" },
        ...this.#app.offer,
      }],
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    for (const socket of this.#sockets) socket.terminate();
    await Promise.allSettled(this.#carriers);
  }

  #settings(): ServerSettings {
    return this.#cluster.settings({ identity: this.#identity });
  }

  #answer(ticket: string): void {
    const carrying = this.#carry(ticket).catch(() => {}).finally(() =>
      this.#carriers.delete(carrying)
    );
    this.#carriers.add(carrying);
  }

  async #carry(ticket: string): Promise<void> {
    const socket = await dialTcp(this.#cluster.address, never());
    socket.write(encodePreface(ticket));
    const context = createTlsContext({ identity: this.#identity, authorityPems: [] });
    const session = await startTlsServer(socket, { context, protocols: [APP_PROTOCOL] }, never());
    await serveCarrier(new TlsStream(session.socket), {
      open: async () => ({
        conn: await Deno.connect({ hostname: "127.0.0.1", port: this.#app.port }),
        started: () => {},
        ended: () => {},
      }),
    }, this.#stop.signal);
  }
}

async function ask(settings: ServerSettings, path: string, body: Record<string, unknown>) {
  const keys = await generateKeyPair();
  using http = new HttpClient(settings);
  const answer = await http.request({
    method: "POST",
    path,
    schema: JoinResponseSchema,
    body: { ...body, public_key: keys.publicKeyPem },
  }, never());
  if (answer.kind !== "value") throw new Error("no answer");
  return { answer: answer.value, privateKeyPem: keys.privateKeyPem };
}
