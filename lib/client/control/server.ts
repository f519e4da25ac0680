/**
 * The daemon's control API: HTTP with JSON over a unix socket that only the owner can open.
 *
 * @module
 */
import { Hono } from "hono";
import { z } from "zod";
import { readVirtualRange, renderUpSettings, type UpSettings } from "../../config/mod.ts";
import type { LoginAnswer, LoginStep } from "../logins/again.ts";
import type { Questions } from "../logins/questions.ts";
import { renderLoginQuestion } from "../logins/render.ts";
import { renderQuestion } from "../mfa/render.ts";
import { UsageError, VnetError } from "../../error.ts";
import { parseJson } from "../../json.ts";
import { getLogger } from "../../log.ts";
import type { RangeWord } from "../../plan/mod.ts";
import type { AppsV1, ConnectionsV1, ResolveV1, StatusV1, ZonesV1 } from "../../status/mod.ts";
import { type ZoneRequest, ZoneRequestSchema } from "../zones/decide.ts";

const log = getLogger("client", "control");

const MAX_BODY = 16 * 1024;

const MAX_WAIT_MS = 600_000;
/** How long a question for news of the second factor is held. */
const MFA_POLL_MS = 25_000;

/** What somebody answers to a question for the second factor. */
const MfaAnswerSchema = z.object({ code: z.string().max(16), id: z.string().max(16).optional() });

const LoginNameSchema = z.object({ proxy: z.string().max(260) });

/** What somebody answers who is asked to log in again. */
const LoginAnswerSchema = LoginNameSchema.extend({
  password: z.string().max(1024),
  totp: z.string().max(16).nullable(),
});

/** What the control API reads and drives. */
export interface ControlTarget {
  status(): StatusV1;
  /** Resolves when the daemon is ready, or when the signal aborts. */
  ready(signal: AbortSignal): Promise<void>;
  /** What it was started with. */
  settings(): UpSettings;
  apps(): AppsV1;
  connections(): ConnectionsV1;
  resolve(name: string, type: string): ResolveV1;
  zones(): ZonesV1;
  /** Decides about a zone. @returns How things stand once that is in force. */
  decideZone(request: ZoneRequest): Promise<ZonesV1>;
  /** Notes what the user said about a range that a cluster wants, and has it in force. */
  decideRange(word: RangeWord): Promise<void>;
  refresh(): Promise<void>;
  /** What a person is asked. */
  readonly questions: Questions;
  /** Logs in again in place of a login that is over. */
  logInAgain(answer: LoginAnswer): Promise<LoginStep>;
  /** Ends it for good; with `restart`, for whoever started it to start it again. */
  down(restart: boolean): void;
}

/** Serves the control API on a socket path, mode 0600, until it is closed. A stale socket file is replaced. */
export async function serveControl(path: string, target: ControlTarget): Promise<Deno.HttpServer> {
  await Deno.remove(path).catch((thrown) => {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
  });
  const server = Deno.serve({
    path,
    onListen: () => {},
    onError: (thrown) => {
      log.error("Control request failed", { error: String(thrown) });
      return refuse(new VnetError("internal", "The daemon failed to answer"), 500);
    },
  }, controlApp(target).fetch);
  await Deno.chmod(path, 0o600);
  return server;
}

function controlApp(target: ControlTarget): Hono {
  const app = new Hono();
  app.get("/v1/status", async (context) => {
    if (context.req.query("wait") === "ready") {
      const wished = Number(context.req.query("timeout_ms") ?? "0");
      const timeoutMs = Math.min(Math.max(Number.isFinite(wished) ? wished : 0, 0), MAX_WAIT_MS);
      const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), context.req.raw.signal]);
      await target.ready(signal);
    }
    return context.json(target.status());
  });
  app.get("/v1/settings", (context) => context.json(renderUpSettings(target.settings())));
  app.get("/v1/apps", (context) => context.json(target.apps()));
  app.get("/v1/connections", (context) => context.json(target.connections()));
  app.get("/v1/resolve", (context) => {
    const name = context.req.query("name") ?? "";
    return context.json(target.resolve(name, context.req.query("type") ?? "A"));
  });
  app.get("/v1/zones", (context) => context.json(target.zones()));
  app.post("/v1/zones", async (context) => {
    const request = ZoneRequestSchema.safeParse(parseJson(await bodyOf(context.req.raw)));
    if (!request.success) throw new UsageError("usage", "Cannot read the decision about a zone");
    return context.json(await target.decideZone(request.data));
  });
  app.post("/v1/ranges", async (context) => {
    const profile = context.req.query("profile") ?? "";
    const range = context.req.query("range") ?? "";
    if (profile === "" || readVirtualRange(range).kind === "refused") {
      throw new VnetError("usage", "Cannot read the word about a range");
    }
    const isTaken = context.req.query("taken") === "true";
    await target.decideRange({ profile, range, isTaken });
    return context.json({});
  });
  app.post("/v1/refresh", async (context) => {
    await target.refresh();
    return context.json({});
  });
  app.get("/v1/mfa", async (context) => {
    const { questions } = target;
    const seen = context.req.query("seen");
    if (seen !== undefined) {
      const deadline = AbortSignal.timeout(MFA_POLL_MS);
      await questions.changed(Number(seen), AbortSignal.any([deadline, context.req.raw.signal]));
    }
    const waiting = questions.mfa.list().map(renderQuestion);
    const logins = questions.logins.list().map(renderLoginQuestion);
    const { revision } = questions;
    return context.json({ schema: "vnet.mfa/1", waiting, logins, revision });
  });
  app.post("/v1/mfa/approve", async (context) => {
    const answer = MfaAnswerSchema.parse(await context.req.json());
    const { mfa } = target.questions;
    return context.json(renderQuestion(await mfa.approve(answer.code, answer.id ?? null)));
  });
  app.post("/v1/mfa/decline", async (context) => {
    const { id = null } = MfaAnswerSchema.partial().parse(await context.req.json());
    return context.json(renderQuestion(target.questions.mfa.decline(id)));
  });
  app.post("/v1/logins/answer", async (context) => {
    const answer = LoginAnswerSchema.parse(parseJson(await bodyOf(context.req.raw)));
    return context.json(await target.logInAgain(answer));
  });
  app.post("/v1/logins/decline", async (context) => {
    const { proxy } = LoginNameSchema.parse(parseJson(await bodyOf(context.req.raw)));
    target.questions.logins.decline(proxy);
    return context.json({});
  });
  app.post("/v1/down", (context) => {
    target.down(context.req.query("then") === "restart");
    return context.json({});
  });
  app.notFound(() => refuse(new VnetError("not-found", "No such thing here"), 404));
  app.onError((thrown) => {
    if (thrown instanceof VnetError) return refuse(thrown, 400);
    throw thrown;
  });
  return app;
}

/** @throws UsageError for more than anybody has to say */
async function bodyOf(request: Request): Promise<string> {
  const text = await request.text();
  if (text.length <= MAX_BODY) return text;
  throw new UsageError("usage", "The request is too large");
}

function refuse(error: VnetError, status: number): Response {
  const { code, message, hint } = error;
  return Response.json({ error: { code, message, ...(hint === null ? {} : { hint }) } }, {
    status,
  });
}
