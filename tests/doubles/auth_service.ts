/**
 * An auth service in a throw-away directory, with a clock that is a number, for tests.
 *
 * @module
 */
import { TOTP } from "otpauth";
import type { AppCertResponse, LoginFinishResponse } from "../../lib/wire/mod.ts";
import { generateKeyPair, parseCertificate } from "../../lib/io/mod.ts";
import { Auth } from "../../lib/server/auth/auth.ts";
import type { AgentIdentity, AuditRecord, AuthOptions, Peer } from "../../lib/server/auth/types.ts";

/** The cluster every fixture is. */
export const CLUSTER = "c.example";
export const START_MS = Date.UTC(2026, 0, 1);

/** A request without its certificate; tests add it. */
export interface Ask {
  readonly body?: unknown;
  readonly certificate?: Uint8Array | null;
  readonly headers?: Record<string, string>;
  readonly address?: string;
  readonly signal?: AbortSignal;
}

/** An answer, read whole. */
export interface Answer {
  readonly status: number;
  readonly code: string | null;
  // deno-lint-ignore no-explicit-any -- tests look into bodies of every shape
  readonly body: any;
  readonly headers: Headers;
}

export class Fixture implements AsyncDisposable {
  readonly auth: Auth;
  readonly dataDir: string;
  nowMs = START_MS;
  /** Long polls that wait: firing one is its time running out. */
  readonly waiting: (() => void)[] = [];

  private constructor(auth: Auth, dataDir: string) {
    this.auth = auth;
    this.dataDir = dataDir;
  }

  static async open(options: Partial<AuthOptions> = {}): Promise<Fixture> {
    const dataDir = options.dataDir ?? await Deno.makeTempDir();
    let fixture: Fixture | null = null;
    const auth = await Auth.open({
      dataDir,
      clusterName: CLUSTER,
      proxyPublicAddrs: [{ host: "proxy.c.example", port: 443 }],
      secondFactor: "optional",
      nowMs: () => fixture?.nowMs ?? START_MS,
      passwordCost: { logN: 4, r: 1, p: 1 },
      delay: (_ms, signal) =>
        new Promise((resolve) => {
          fixture?.waiting.push(resolve);
          signal.addEventListener("abort", () => resolve());
        }),
      ...options,
    });
    fixture = new Fixture(auth, dataDir);
    return fixture;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.auth.close();
    await Deno.remove(this.dataDir, { recursive: true });
  }

  async ask(method: "GET" | "POST", path: string, ask: Ask = {}): Promise<Answer> {
    const response = await this.raw(method, path, ask);
    const text = await response.text();
    const body = text === "" ? null : JSON.parse(text);
    return {
      status: response.status,
      code: body?.error?.code ?? null,
      body,
      headers: response.headers,
    };
  }

  raw(method: "GET" | "POST", path: string, ask: Ask = {}): Promise<Response> {
    const peer: Peer = {
      address: ask.address ?? "192.0.2.1",
      certificate: ask.certificate ?? null,
    };
    const request = new Request(`https://proxy.c.example${path}`, {
      method,
      ...(ask.headers === undefined ? {} : { headers: ask.headers }),
      ...(ask.signal === undefined ? {} : { signal: ask.signal }),
      ...(ask.body === undefined
        ? {}
        : { body: typeof ask.body === "string" ? ask.body : JSON.stringify(ask.body) }),
    });
    return this.auth.fetch(request, peer);
  }

  /** Adds a user with a password made up; `secret` is set if a second factor was asked for. */
  async addUser(
    name: string,
    options: { readonly roles?: string[]; readonly secondFactor?: boolean } = {},
  ): Promise<{ readonly password: string; readonly totp: TOTP | null }> {
    const { password, totp_uri } = await this.auth.admin.addUser({
      name,
      roles: options.roles ?? ["access"],
      ...(options.secondFactor === undefined ? {} : { second_factor: options.secondFactor }),
    });
    return { password: password!, totp: totp_uri === undefined ? null : totpOf(totp_uri) };
  }

  /** Adds a role that allows apps by labels. */
  async addRole(name: string, spec: Record<string, unknown>): Promise<void> {
    await this.auth.admin.putResource(
      { kind: "role", version: "v1", metadata: { name }, spec },
      { replace: true },
    );
  }

  async login(
    user: string,
    password: string,
    more: Record<string, unknown> = {},
    ask: Ask = {},
  ): Promise<Answer> {
    const { publicKeyPem } = sharedKey;
    return await this.ask("POST", "/v1/login/finish", {
      ...ask,
      body: { user, password, tls_public_key: publicKeyPem, ...more },
    });
  }

  /** Adds a user and logs in. @returns The certificate in DER. */
  async loggedIn(name: string, roles?: string[]): Promise<Uint8Array> {
    const { password } = await this.addUser(name, roles === undefined ? {} : { roles });
    const { body } = await this.login(name, password);
    return parseCertificate((body as LoginFinishResponse).certificate)!.der;
  }

  /** Connects an agent that serves these apps. */
  async serve(
    ...apps: {
      readonly name: string;
      readonly labels?: Record<string, string>;
      readonly tcp_ports?: { port: number; end_port?: number }[];
    }[]
  ): Promise<
    { readonly agent: AgentIdentity; readonly instance: symbol; readonly certificate: Uint8Array }
  > {
    const names = apps.map(({ name }) => name);
    const { publicKeyPem } = sharedKey;
    const admitted = await this.auth.admitLocalAgent({ name: "local", apps: names, publicKeyPem });
    const instance = Symbol("local");
    this.auth.agents.connected({
      agent: admitted.agent,
      apps: apps.map((app) => ({ labels: {}, public_addrs: [], ...app })),
      instance,
    });
    const certificate = parseCertificate(admitted.certificatePem)!.der;
    return { agent: admitted.agent, instance, certificate };
  }

  async appCert(
    certificate: Uint8Array,
    app: string,
    more: Record<string, unknown> = {},
  ): Promise<Answer & { readonly body: AppCertResponse }> {
    const { publicKeyPem } = sharedKey;
    return await this.ask("POST", "/v1/certs/app", {
      certificate,
      body: { app, cluster: CLUSTER, port: 0, public_key: publicKeyPem, ...more },
    });
  }

  /** Draws the right to an app, as a client does. @returns The id of the app session. */
  async right(certificate: Uint8Array, app: string, port = 0): Promise<string> {
    const { status, code } = await this.appCert(certificate, app, { port });
    if (status !== 200) throw new Error(`No certificate: ${code}`);
    const issued = (await this.events()).filter(({ event }) => event === "app.cert.issued");
    return issued.at(-1)?.session_id ?? "";
  }

  async events(): Promise<AuditRecord[]> {
    const request = { limit: 1000, wait_seconds: 0 };
    const { events } = await this.auth.admin.readAudit(request, new AbortController().signal);
    return events as unknown as AuditRecord[];
  }
}

/** One key for all requests: making one takes longer than everything else. */
export const sharedKey = await generateKeyPair();

/** The generator an authenticator program would make of what `users add` prints. */
export function totpOf(uri: string): TOTP {
  const parameters = new URL(uri).searchParams;
  return new TOTP({ secret: parameters.get("secret")! });
}
