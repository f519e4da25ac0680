/**
 * The admin API: `POST /admin/<operation>` with JSON, on a unix socket that only the server's own user may open.
 *
 * @module
 */
import type { z } from "zod";
import { OsError } from "../../../error.ts";
import { getLogger } from "../../../log.ts";
import type { Admin } from "./admin.ts";
import {
  ADMIN_OPERATIONS,
  type AdminArguments,
  type AdminOperation,
  type AdminResponse,
} from "./shapes.ts";
import { readJson } from "../api/http.ts";
import { isOurs, refusal, refusalResponse } from "../api/refusals.ts";

const log = getLogger("server", "auth");

type Operations = {
  readonly [Op in AdminOperation]: (
    admin: Admin,
    request: AdminArguments<Op>,
    signal: AbortSignal,
  ) => AdminResponse<Op> | Promise<AdminResponse<Op>>;
};

const RUN: Operations = {
  "status": (admin) => admin.status(),
  "users.add": (admin, request) => admin.addUser(request),
  "users.list": (admin) => admin.listUsers(),
  "users.reset": (admin, request) => admin.resetUser(request),
  "users.remove": async (admin, { name }) => (await admin.removeUser(name), {}),
  "tokens.add": (admin, request) => admin.addToken(request),
  "tokens.list": (admin) => admin.listTokens(),
  "tokens.remove": async (admin, { id }) => (await admin.removeToken(id), {}),
  "agents.list": (admin) => admin.listAgents(),
  "agents.remove": async (admin, { id }) => (await admin.removeAgent(id), {}),
  "apps.list": (admin) => admin.listApps(),
  "resources.put": async (admin, { resource, replace }) => ({
    resource: await admin.putResource(resource, { replace }),
  }),
  "resources.apply": (admin, request) => admin.applyResources(request),
  "resources.get": (admin, request) => admin.getResources(request),
  "resources.remove": async (admin, { kind, name }) => (await admin.removeResource(kind, name), {}),
  "lock": (admin, request) => admin.lock(request),
  "sessions.list": (admin) => admin.listSessions(),
  "sessions.remove": (admin, { id }) => admin.removeSession(id),
  "audit.read": (admin, request, signal) => admin.readAudit(request, signal),
};

/**
 * Answers one request of the admin API. Never rejects. Whoever gets a request this far may do everything.
 *
 * @param signal Fires when nobody waits for the answer any longer.
 */
export async function adminFetch(
  admin: Admin,
  request: Request,
  signal: AbortSignal,
): Promise<Response> {
  try {
    const operation = new URL(request.url).pathname.replace(/^\/admin\//, "");
    if (request.method !== "POST" || !isOperation(operation)) {
      throw refusal("not-found", { message: "There is no such operation" });
    }
    return Response.json(await run(admin, operation, request, signal));
  } catch (error) {
    if (isOurs(error)) log.error("Cannot answer an admin request", { error: String(error) });
    return refusalResponse(error);
  }
}

async function run<Op extends AdminOperation>(
  admin: Admin,
  operation: Op,
  request: Request,
  signal: AbortSignal,
): Promise<AdminResponse<Op>> {
  const schema = ADMIN_OPERATIONS[operation].request as unknown as z.ZodType<AdminArguments<Op>>;
  return await RUN[operation](admin, await readJson(request, schema), signal);
}

function isOperation(text: string): text is AdminOperation {
  return Object.hasOwn(ADMIN_OPERATIONS, text);
}

/**
 * Serves the admin API on a unix socket with mode 0600. The directory must be its owner's alone, for the moment
 * between the socket's making and its mode.
 *
 * @throws {OsError} `admin-socket-unusable`.
 */
export async function serveAdmin(
  admin: Admin,
  path: string,
): Promise<{ readonly close: () => Promise<void> }> {
  const closing = new AbortController();
  try {
    await removeStale(path);
    const server = Deno.serve(
      { path, onListen: () => {}, onError: (error) => refusalResponse(error) },
      (request) => adminFetch(admin, request, closing.signal),
    );
    await Deno.chmod(path, 0o600);
    return {
      close: async () => {
        closing.abort();
        await server.shutdown();
        await Deno.remove(path).catch(() => {});
      },
    };
  } catch (cause) {
    if (cause instanceof OsError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new OsError("admin-socket-unusable", `Cannot listen on "${path}": ${reason}`, {
      call: "listen",
      errno: "UNKNOWN",
      cause,
    });
  }
}

/** Removes the socket of a server that is gone; one that answers stays. */
async function removeStale(path: string): Promise<void> {
  try {
    const connection = await Deno.connect({ transport: "unix", path });
    connection.close();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    await Deno.remove(path);
    return;
  }
  throw new OsError(
    "admin-socket-unusable",
    `Cannot listen on "${path}": a server is running there`,
    {
      call: "listen",
      errno: "EADDRINUSE",
      hint: "Stop the other server, or take another data_dir",
    },
  );
}
