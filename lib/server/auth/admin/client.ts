import type { z } from "zod";
import { ApiErrorSchema } from "../../../wire/mod.ts";
import { AuthError, NetworkError, ProtocolError } from "../../../error.ts";
import {
  ADMIN_OPERATIONS,
  type AdminOperation,
  type AdminRequest,
  type AdminResponse,
} from "./shapes.ts";

/** How long a server may take to answer, beside the time it was asked to wait. */
const DEADLINE_MS = 30_000;

/** Asks a running server on its admin socket; what `vnet ctl` is made of. */
export class AdminClient implements Disposable {
  readonly #path: string;
  readonly #client: Deno.HttpClient;

  /** @param path The socket: `admin.sock` in the server's data_dir. */
  constructor(path: string) {
    this.#path = path;
    this.#client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
  }

  /**
   * Runs one operation.
   *
   * @throws {AuthError} With the server's code, when it refuses.
   * @throws {NetworkError} `server-not-running` when nothing listens, or it is not ours to ask.
   * @throws {ProtocolError} `answer-malformed` when the answer is not understood.
   */
  async call<Op extends AdminOperation>(
    operation: Op,
    request: AdminRequest<Op>,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<AdminResponse<Op>> {
    const { wait_seconds: waitSeconds = 0 } = request as { readonly wait_seconds?: number };
    const deadline = AbortSignal.timeout(DEADLINE_MS + waitSeconds * 1000);
    const signals = options.signal === undefined ? [deadline] : [deadline, options.signal];
    const response = await this.#post(operation, request, AbortSignal.any(signals));
    const body: unknown = await response.json().catch(() => null);
    if (!response.ok) {
      const refused = ApiErrorSchema.safeParse(body);
      if (!refused.success) throw malformed(operation);
      const { code, message, hint } = refused.data.error;
      throw new AuthError(code, message, hint === undefined ? {} : { hint });
    }
    const schema = ADMIN_OPERATIONS[operation].response as unknown as z.ZodType<AdminResponse<Op>>;
    const answer = schema.safeParse(body);
    if (!answer.success) throw malformed(operation);
    return answer.data;
  }

  /** Yields the audit log from after an event on (absent: from the newest on) until the signal fires. */
  async *follow(
    options: { readonly after?: number; readonly signal: AbortSignal },
  ): AsyncGenerator<AdminResponse<"audit.read">["events"][number]> {
    let after = options.after ?? await this.#newest();
    while (!options.signal.aborted) {
      const request = { after, wait_seconds: 30, limit: 1000 };
      let events: AdminResponse<"audit.read">["events"];
      try {
        ({ events } = await this.call("audit.read", request, { signal: options.signal }));
      } catch (error) {
        if (options.signal.aborted) return;
        throw error;
      }
      yield* events;
      after = events.at(-1)?.seq ?? after;
    }
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  async #newest(): Promise<number> {
    const { events } = await this.call("audit.read", { limit: 1 });
    return events.at(-1)?.seq ?? 0;
  }

  async #post(operation: string, request: unknown, signal: AbortSignal): Promise<Response> {
    try {
      return await fetch(`http://127.0.0.1/admin/${operation}`, {
        method: "POST",
        body: JSON.stringify(request),
        headers: { "content-type": "application/json" },
        client: this.#client,
        signal,
      });
    } catch (cause) {
      if (signal.aborted) throw cause;
      const isForbidden = await isDenied(this.#path);
      throw new NetworkError(
        "server-not-running",
        isForbidden
          ? `Cannot ask the server: permission to open "${this.#path}" is denied`
          : `Cannot ask the server: nobody answers at "${this.#path}"`,
        {
          hint: isForbidden
            ? "Run `vnet ctl` as root, or as the server's user"
            : "Start it with `vnet server start`",
          cause,
        },
      );
    }
  }
}

/** Whether a socket is there, or may be, and somebody else's. */
async function isDenied(path: string): Promise<boolean> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return false;
  } catch (error) {
    return error instanceof Deno.errors.PermissionDenied;
  }
}

function malformed(operation: string): ProtocolError {
  return new ProtocolError(
    "answer-malformed",
    `The server's answer to "${operation}" is not understood: it may be of another version`,
    { hint: "If vnet was upgraded, restart the server" },
  );
}
