/**
 * Asks a running daemon, over its unix socket.
 *
 * @module
 */
import { z } from "zod";
import { type UpSettings, UpSettingsSchema } from "../../config/mod.ts";
import { NetworkError, ProtocolError, VnetError } from "../../error.ts";
import type { RangeWord } from "../../plan/mod.ts";
import {
  type AppsV1,
  AppsV1Schema,
  type ConnectionsV1,
  ConnectionsV1Schema,
  MfaQuestionSchema,
  MfaV1Schema,
  type ResolveV1,
  ResolveV1Schema,
  type StatusV1,
  StatusV1Schema,
  type ZonesV1,
  ZonesV1Schema,
} from "../../status/mod.ts";

import type { LoginAnswer, LoginStep } from "../logins/again.ts";
import type { ZoneRequest } from "../zones/decide.ts";

const DEADLINE_MS = 5_000;
/** Longer than the daemon holds the question. */
const MFA_POLL_MS = 30_000;
/** Longer than the daemon waits for the cluster. */
const APPROVE_MS = 20_000;
const LOGIN_MS = 60_000;

const LoginQuestionSchema = z.object({
  proxy: z.string(),
  cluster: z.string(),
  user: z.string(),
  /** What it was made with, if not with a password. */
  connector: z.string().optional(),
});

const MfaNewsSchema = MfaV1Schema.extend({
  /** Logins that are over; a daemon of an older version asks for none. */
  logins: z.array(LoginQuestionSchema).default([]),
  revision: z.int(),
});

const LoginStepSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("done"), expiresMs: z.number() }),
  z.object({ kind: z.literal("code"), isOptional: z.boolean() }),
]) satisfies z.ZodType<LoginStep>;

type MfaNews = z.infer<typeof MfaNewsSchema>;
type MfaQuestion = z.infer<typeof MfaQuestionSchema>;
/** The daemon may have to tell the machine's resolver of other zones. */
const CHANGE_MS = 30_000;

async function readAnswer<T>(response: Response, schema: z.ZodType<T>): Promise<T> {
  const parsed = schema.safeParse(await response.json());
  if (parsed.success) return parsed.data;
  throw new ProtocolError("daemon-mismatch", "Cannot read the daemon's answer: unknown shape", {
    hint: "The daemon may be of another version; run `sudo vnet restart`",
    cause: parsed.error,
  });
}

/** How the daemon says no. */
const RefusalSchema = z.object({
  error: z.object({ code: z.string(), message: z.string(), hint: z.string().optional() }),
});

/** A daemon's control API from the outside. Close it to free the connection. */
export class ControlClient implements Disposable {
  readonly #http: Deno.HttpClient;

  constructor(socketPath: string) {
    this.#http = Deno.createHttpClient({ proxy: { transport: "unix", path: socketPath } });
  }

  status(): Promise<StatusV1> {
    return this.#get("/v1/status", StatusV1Schema);
  }

  /** Returns the status when the daemon is ready, or as it is when the deadline comes first. */
  waitReady(timeoutMs: number, signal?: AbortSignal): Promise<StatusV1> {
    const path = `/v1/status?wait=ready&timeout_ms=${timeoutMs}`;
    return this.#get(path, StatusV1Schema, timeoutMs + DEADLINE_MS, signal);
  }

  /** What the daemon was started with. */
  settings(): Promise<UpSettings> {
    return this.#get("/v1/settings", UpSettingsSchema);
  }

  apps(): Promise<AppsV1> {
    return this.#get("/v1/apps", AppsV1Schema);
  }

  /** The connections that are kept, and what they add up to. */
  connections(): Promise<ConnectionsV1> {
    return this.#get("/v1/connections", ConnectionsV1Schema);
  }

  resolve(name: string, type: string): Promise<ResolveV1> {
    const query = new URLSearchParams({ name, type });
    return this.#get(`/v1/resolve?${query}`, ResolveV1Schema);
  }

  /**
   * What a person is asked: second factors and logins.
   *
   * @param seen The revision that is known: answers when there is another, or after a while. At once if not given.
   */
  mfa(seen?: number, signal?: AbortSignal): Promise<MfaNews> {
    const path = seen === undefined ? "/v1/mfa" : `/v1/mfa?seen=${seen}`;
    return this.#get(path, MfaNewsSchema, MFA_POLL_MS, signal);
  }

  /** Answers a question for the second factor, the oldest if `id` is `null`. @returns What was asked. */
  async approveMfa(code: string, id: string | null): Promise<MfaQuestion> {
    return await this.#answerMfa("approve", { code, ...(id === null ? {} : { id }) });
  }

  /** Says no to a question for the second factor, the oldest if `id` is `null`. @returns What was asked. */
  async declineMfa(id: string | null): Promise<MfaQuestion> {
    return await this.#answerMfa("decline", id === null ? {} : { id });
  }

  /** Logs in again in place of a login that is over. */
  async logInAgain(answer: LoginAnswer): Promise<LoginStep> {
    const path = "/v1/logins/answer";
    const response = await this.#fetch("POST", path, LOGIN_MS, undefined, answer);
    return await readAnswer(response, LoginStepSchema);
  }

  /** Says that nobody logs in again now. */
  async declineLogin(proxy: string): Promise<void> {
    const path = "/v1/logins/decline";
    await (await this.#fetch("POST", path, DEADLINE_MS, undefined, { proxy })).body?.cancel();
  }

  /** How clusters stand to zones. */
  zones(): Promise<ZonesV1> {
    return this.#get("/v1/zones", ZonesV1Schema);
  }

  /** Decides about a zone, and has it in force. */
  async decideZone(request: ZoneRequest): Promise<ZonesV1> {
    const response = await this.#fetch("POST", "/v1/zones", CHANGE_MS, undefined, request);
    return await readAnswer(response, ZonesV1Schema);
  }

  /** Says whether a cluster may have a range that it wants. */
  async decideRange({ profile, range, isTaken }: RangeWord): Promise<void> {
    const query = new URLSearchParams({ profile, range, taken: `${isTaken}` });
    await (await this.#fetch("POST", `/v1/ranges?${query}`, 30_000)).body?.cancel();
  }

  /** Makes the daemon read its profiles again and ask the clusters at once. */
  async refresh(): Promise<void> {
    await (await this.#fetch("POST", "/v1/refresh", CHANGE_MS)).body?.cancel();
  }

  /** Asks the daemon to end; it answers before it does. `restart`: it is started again, and keeps its settings. */
  async down({ restart = false } = {}): Promise<void> {
    const path = restart ? "/v1/down?then=restart" : "/v1/down";
    await (await this.#fetch("POST", path, DEADLINE_MS)).body?.cancel();
  }

  [Symbol.dispose](): void {
    this.#http.close();
  }

  async #answerMfa(word: string, body: unknown): Promise<MfaQuestion> {
    const response = await this.#fetch("POST", `/v1/mfa/${word}`, APPROVE_MS, undefined, body);
    return MfaQuestionSchema.parse(await response.json());
  }

  async #get<T>(
    path: string,
    schema: z.ZodType<T>,
    timeoutMs = DEADLINE_MS,
    signal?: AbortSignal,
  ): Promise<T> {
    return await readAnswer(await this.#fetch("GET", path, timeoutMs, signal), schema);
  }

  async #fetch(
    method: string,
    path: string,
    timeoutMs: number,
    signal?: AbortSignal,
    body?: unknown,
  ): Promise<Response> {
    const deadline = AbortSignal.timeout(timeoutMs);
    let response: Response;
    try {
      response = await fetch(`http://127.0.0.1${path}`, {
        method,
        client: this.#http,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: signal === undefined ? deadline : AbortSignal.any([deadline, signal]),
      });
    } catch (thrown) {
      if (deadline.aborted) {
        throw new NetworkError("daemon-stuck", "Cannot ask the daemon: it does not answer", {
          hint: "Run `sudo vnet restart`",
          cause: thrown,
        });
      }
      throw new VnetError("daemon-not-running", "Cannot reach the daemon: vnet is not up", {
        hint: "Run `sudo vnet up`",
        cause: thrown,
      });
    }
    if (response.ok) return response;
    const refused = RefusalSchema.safeParse(await response.json().catch(() => null));
    if (!refused.success) {
      throw new ProtocolError("daemon-mismatch", `The daemon answered ${response.status}`);
    }
    const { code, message, hint } = refused.data.error;
    throw new VnetError(code, message, hint === undefined ? {} : { hint });
  }
}
