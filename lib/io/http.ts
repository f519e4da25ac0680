/**
 * JSON over HTTPS: what clients and agents ask of a cluster. Nothing is sent before the server is known for what it
 * should be.
 *
 * @module
 */
import http from "node:http";
import { z } from "zod";
import { AuthError, NetworkError, ProtocolError, VnetError } from "../error.ts";
import { formatHostPort } from "../ip/mod.ts";
import { refusalError } from "../refusal/mod.ts";
import { parseJson } from "../json.ts";
import { DeadlinePassed, withDeadline } from "../wait.ts";
import { dialServer, type ServerSettings } from "./server_dial.ts";

/** The server that is asked, and how it is known. */
type HttpClientOptions = ServerSettings;

export interface HttpRequest<T> {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** With the query, from the first slash on. */
  readonly path: string;
  /** What the answer must be; for an answer without a body, `z.null()`. */
  readonly schema: z.ZodType<T>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** The tag of what is known already. */
  readonly etag?: string | null;
  /** For the whole exchange; 15 s if not given. A long poll wants more. */
  readonly timeoutMs?: number;
}

export type HttpAnswer<T> =
  | { readonly kind: "value"; readonly value: T; readonly etag: string | null }
  | { readonly kind: "not-modified" };

const TIMEOUT_MS = 15_000;
const MAX_BODY_BYTES = 16 * 1_048_576;
const MAX_SOCKETS = 8;

const RefusalSchema = z.object({
  error: z.object({
    code: z.string().regex(/^[a-z][a-z0-9-]{0,63}$/),
    message: z.string().max(1024),
    hint: z.string().max(1024).optional(),
  }),
});

/** A client of one server; connections are kept and used again. */
export class HttpClient implements Disposable {
  readonly #options: HttpClientOptions;
  readonly #agent: VerifyingAgent;
  #inFlight = 0;
  #isRetired = false;

  constructor(options: HttpClientOptions) {
    this.#options = options;
    this.#agent = new VerifyingAgent(options);
  }

  /**
   * Asks, and checks the answer.
   *
   * @throws {AuthError} with the server's code when it refuses (401, 403, 429), `ca-pin-mismatch` or
   * `proxy-untrusted` when it is not the one we want.
   * @throws {NetworkError} `proxy-unreachable`, `proxy-timeout`, or the server's code when it fails (5xx).
   * @throws {ProtocolError} when the answer is none, or the server's code when the request was wrong (other 4xx).
   */
  async request<T>(request: HttpRequest<T>, signal: AbortSignal): Promise<HttpAnswer<T>> {
    const act = `Cannot ask "${this.#options.server.host}"`;
    this.#inFlight++;
    try {
      return await withDeadline(request.timeoutMs ?? TIMEOUT_MS, signal, async (signal) => {
        const reply = await this.#exchange(request, signal).catch((thrown) => {
          // A kept connection may have been closed at the moment it was used; asking twice harms nobody.
          const again = request.method === "GET" && !(thrown instanceof VnetError) &&
            !signal.aborted;
          if (again) return this.#exchange(request, signal);
          throw thrown;
        });
        return readReply(reply, request.schema, { act, host: this.#options.server.host });
      });
    } catch (thrown) {
      if (signal.aborted) throw signal.reason;
      if (thrown instanceof VnetError) throw thrown;
      if (thrown instanceof DeadlinePassed) throw refusalError("proxy-timeout", act);
      throw refusalError("proxy-unreachable", act, { cause: thrown });
    } finally {
      this.#inFlight--;
      if (this.#isRetired && this.#inFlight === 0) this.close();
    }
  }

  /** Ends its connections; requests under way fail. */
  close(): void {
    this.#agent.destroy();
  }

  /** Has the next request go over a new connection; requests under way go on. */
  renew(): void {
    for (const idle of Object.values(this.#agent.freeSockets)) {
      for (const socket of idle ?? []) socket.destroy();
    }
  }

  /** Ends its connections when the last request under way is answered. */
  closeWhenIdle(): void {
    this.#isRetired = true;
    if (this.#inFlight === 0) this.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #exchange<T>(request: HttpRequest<T>, signal: AbortSignal): Promise<Reply> {
    const { server } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    const body = request.body === undefined
      ? null
      : new TextEncoder().encode(JSON.stringify(request.body));
    const asked = http.request({
      agent: this.#agent,
      host: server.host,
      port: server.port,
      method: request.method,
      path: request.path,
      headers: {
        host: formatHostPort(server),
        accept: "application/json",
        ...(request.etag ? { "if-none-match": request.etag } : {}),
        ...(body === null
          ? {}
          : { "content-type": "application/json", "content-length": body.length }),
      },
    }, (answer) => collect(answer).then(resolve, reject));
    asked.on("error", reject);
    const abort = () => {
      reject(signal.reason);
      asked.reusedSocket = false; // or it is sent once more, though nobody waits for it
      asked.destroy(); // by hand: the option `signal` does nothing once the request has left
    };
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    asked.end(body ?? undefined);
    return promise.finally(() => signal.removeEventListener("abort", abort));
  }
}

interface Reply {
  readonly status: number;
  readonly etag: string | null;
  /** Whether it says so of its body. */
  readonly isJson: boolean;
  readonly body: string;
}

async function collect(answer: http.IncomingMessage): Promise<Reply> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  answer.on("data", (piece: Uint8Array) => {
    sizeBytes += piece.length;
    if (sizeBytes <= MAX_BODY_BYTES) pieces.push(piece);
    else {answer.destroy(
        refusalError("protocol-violated", "Cannot read an answer", { state: "it is too long" }),
      );}
  });
  answer.on("end", resolve);
  answer.on("error", reject);
  answer.on("close", () => reject(new Error("The answer was cut off")));
  await promise;
  const { etag, "content-type": type } = answer.headers;
  const body = new TextDecoder().decode(await new Blob(pieces as BlobPart[]).arrayBuffer());
  const isJson = /^application\/(?:[\w.-]+\+)?json\b/i.test(type ?? "");
  return { status: answer.statusCode ?? 0, etag: etag ?? null, isJson, body };
}

function readReply<T>(
  reply: Reply,
  schema: z.ZodType<T>,
  { act, host }: { readonly act: string; readonly host: string },
): HttpAnswer<T> {
  if (reply.status === 304) return { kind: "not-modified" };
  const value = reply.body === "" ? null : parseJson(reply.body);
  const isSuccess = reply.status >= 200 && reply.status < 300;
  if (isSuccess) {
    const parsed = schema.safeParse(value);
    if (parsed.success) return { kind: "value", value: parsed.data, etag: reply.etag };
    if (!reply.isJson) throw strange(reply, act, host);
    const [issue] = parsed.error.issues;
    const state = `the answer is not what it should be (${
      issue?.path.join(".")
    }: ${issue?.message})`;
    throw refusalError("protocol-violated", act, { state });
  }
  const refusal = RefusalSchema.safeParse(value);
  if (!refusal.success) throw strange(reply, act, host);
  const { code, message, hint } = refusal.data.error;
  const isDenial = [401, 403, 429].includes(reply.status);
  const Failure = isDenial ? AuthError : reply.status >= 500 ? NetworkError : ProtocolError;
  throw new Failure(code, message, hint === undefined ? {} : { hint });
}

/** The error of an answer as no cluster of ours gives it: another server's, or one's that stands before the cluster. */
function strange({ status }: Reply, act: string, host: string): VnetError {
  if (status >= 500) {
    return refusalError("proxy-closed", act, {
      state:
        `"${host}" answers HTTPS, but what stands there cannot reach a vnet cluster (HTTP status ${status})`,
      hint: "See the log of the load balancer or the web server in front of the cluster",
    });
  }
  const answer = status >= 300 && status < 400
    ? `HTTP status ${status}, a redirect`
    : `HTTP status ${status}`;
  return refusalError("protocol-violated", act, {
    state: `"${host}" answers HTTPS but is no vnet cluster (${answer})`,
    hint: "Check the name and the port of the cluster's proxy",
  });
}

/** Makes HTTP's connections, and lets none be used that has not been verified. */
class VerifyingAgent extends http.Agent {
  readonly #options: ServerSettings;

  constructor(options: ServerSettings) {
    super({ keepAlive: true, maxSockets: MAX_SOCKETS });
    this.#options = options;
  }

  // deno-lint-ignore no-explicit-any -- node's own types name a Duplex that Deno's do not have in common
  override createConnection(_options: unknown, done: any): any {
    dialServer(this.#options, ["http/1.1"]).then(
      (socket) => done(null, socket),
      (error) => done(error),
    );
    return undefined;
  }
}
