import { type Context, Hono } from "hono";
import { type SecondFactor } from "../../../config/mod.ts";
import {
  AgentAuditRequestSchema,
  type AgentPolicy,
  AgentRenewRequestSchema,
  AppCertRequestSchema,
  type ClusterConfig,
  type FindResponse,
  type FlowEvent,
  JoinRequestSchema,
  LeafJoinRequestSchema,
  LeafRenewRequestSchema,
  LoginBeginRequestSchema,
  LoginFinishRequestSchema,
  OidcBeginRequestSchema,
  OidcFinishRequestSchema,
  type ReportRefusal,
} from "../../../wire/mod.ts";
import type { AppCertificates } from "../app_certs.ts";
import type { Changes } from "../changes.ts";
import { answerPoll, holdUntil, readJson, readWait } from "./http.ts";
import type { AgentJoins } from "../agents/join.ts";
import type { LeafJoins } from "../trust/leaf_joins.ts";
import type { Logins } from "../login/login.ts";
import type { OidcLogins } from "../oidc/oidc_logins.ts";
import { type Answerable, Renders } from "./renders.ts";
import { isOurs, refusal, refusalResponse, tooMuchOf } from "./refusals.ts";
import type { AgentIdentity, AgentVerdict, Peer, UserVerdict } from "../types.ts";
import { sha256 } from "../../../io/mod.ts";
import { getLogger } from "../../../log.ts";
import type { ApiRefusalCode } from "../../../refusal/mod.ts";

const log = getLogger("server", "auth");

/** What ends by itself, unlike a login's end: whoever is refused so may wait for it. */
const LOCKED: ApiRefusalCode = "access-locked";

type User = Extract<UserVerdict, { readonly kind: "good" }>;

/** What the routes lead to. */
interface RouteTargets {
  readonly secondFactor: SecondFactor;
  readonly changes: Changes;
  readonly logins: Logins;
  readonly oidc: OidcLogins;
  readonly appCerts: AppCertificates;
  readonly joins: AgentJoins;
  readonly leafJoins: LeafJoins;
  readonly delay: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Somebody wanted too much. */
  countRefusal(code: string): void;
  find(): FindResponse;
  config(): ClusterConfig;
  /** What a user may use; the key says all that it depends on. */
  apps(user: string): Answerable;
  policy(): Promise<AgentPolicy>;
  logout(user: User, peer: Peer): Promise<void>;
  reportFlow(
    agent: AgentIdentity,
    events: readonly FlowEvent[],
    how: { readonly partial: boolean },
  ): Promise<readonly ReportRefusal[]>;
  verifyUser(der: Uint8Array): Promise<UserVerdict>;
  verifyAgent(der: Uint8Array): Promise<AgentVerdict>;
  verifyLeaf(der: Uint8Array): AgentVerdict;
}

interface Env {
  readonly Bindings: { readonly peer: Peer };
}

type Routes = Hono<{ Bindings: { readonly peer: Peer } }>;

/** The HTTP API: who may ask, what is read, who answers. */
export function createRoutes(to: RouteTargets): Routes {
  const app: Routes = new Hono();
  app.onError((error, context) => {
    const tooMuch = tooMuchOf(error);
    if (tooMuch !== null) to.countRefusal(tooMuch);
    if (isOurs(error)) {
      log.error("Cannot answer a request", { path: context.req.path, error: String(error) });
    }
    return refusalResponse(error);
  });
  app.notFound(() => refusalResponse(refusal("not-found", { message: "There is nothing here" })));
  const renders = new Renders();
  addPublic(app, to);
  addUser(app, to, renders);
  addAgent(app, to, renders);
  return app;
}

function addPublic(app: Routes, to: RouteTargets): void {
  const find = () => Response.json(to.find());
  // Teleport's tools ask below /v1 too, and may name the way they would log in
  for (const prefix of ["", "/v1"]) {
    app.get(`${prefix}/webapi/ping`, find);
    app.get(`${prefix}/webapi/ping/:connector`, find);
    app.get(`${prefix}/webapi/find`, find);
  }
  app.post("/v1/login/begin", async (context) => {
    await readJson(context.req.raw, LoginBeginRequestSchema);
    return secret({ second_factor: to.secondFactor });
  });
  app.post("/v1/login/finish", async (context) => {
    const request = await readJson(context.req.raw, LoginFinishRequestSchema);
    return secret(await to.logins.finish(request, context.env.peer));
  });
  app.post("/v1/login/oidc/begin", async (context) => {
    const request = await readJson(context.req.raw, OidcBeginRequestSchema);
    return secret(await to.oidc.begin(request, context.env.peer));
  });
  app.post("/v1/login/oidc/finish", async (context) => {
    const request = await readJson(context.req.raw, OidcFinishRequestSchema);
    return secret(await to.oidc.finish(request, context.env.peer));
  });
  app.post("/v1/join", async (context) => {
    const request = await readJson(context.req.raw, JoinRequestSchema);
    return secret(await to.joins.join(request, context.env.peer));
  });
  app.post("/v1/leaf/join", async (context) => {
    const request = await readJson(context.req.raw, LeafJoinRequestSchema);
    return secret(await to.leafJoins.join(request, context.env.peer));
  });
}

function addUser(app: Routes, to: RouteTargets, renders: Renders): void {
  const userOf = (context: Context<Env>) =>
    certified(context.env.peer, (der) => to.verifyUser(der));
  const poll = { changes: to.changes, delay: to.delay, renders };
  const apps = async (context: Context<Env>) => to.apps((await userOf(context)).user);
  app.get("/v1/config", async (context) => {
    const isNews = await outwaitLock(context.req.raw, context.env.peer, to);
    const user = await userOf(context);
    const held = context.req.query("apps");
    return await answerPoll(context.req.raw, {
      ...poll,
      key: user.sessionId,
      isNews,
      ...(held === undefined ? {} : { also: { held, compute: () => apps(context) } }),
      // A login that ended while it waited must not be told anything more
      compute: async () => {
        await userOf(context);
        return { key: "config", value: () => to.config() };
      },
    });
  });
  app.get("/v1/apps", async (context) => {
    const user = await userOf(context);
    return await answerPoll(context.req.raw, {
      ...poll,
      key: user.sessionId,
      compute: () => apps(context),
    });
  });
  app.post("/v1/certs/app", async (context) => {
    const user = await userOf(context);
    const request = await readJson(context.req.raw, AppCertRequestSchema);
    return secret(await to.appCerts.issue(request, user, context.env.peer));
  });
  app.post("/v1/logout", async (context) => {
    await to.logout(await userOf(context), context.env.peer);
    return new Response(null, { status: 204 });
  });
}

/**
 * Holds a request that knows of its user's lock, until there is none, or the wait that it asked for is over. It is
 * answered by what is true then.
 *
 * @returns Whether it knows of a lock: that there is none is news.
 */
async function outwaitLock(
  request: Request,
  { certificate }: Peer,
  { verifyUser, changes, delay }: RouteTargets,
): Promise<boolean> {
  const known = new URL(request.url).searchParams.get("refused");
  if (known !== LOCKED || certificate === null) return false;
  const waitSeconds = readWait(request);
  const isLifted = async () => {
    const verdict = await verifyUser(certificate);
    return verdict.kind === "good" || verdict.code !== LOCKED;
  };
  const revision = changes.revision();
  if (await isLifted()) return true;
  const key = sha256(certificate).toHex();
  await holdUntil(isLifted, { changes, delay, key, waitSeconds, revision }, request.signal);
  return true;
}

function addAgent(app: Routes, to: RouteTargets, renders: Renders): void {
  const agentOf = async (context: Context<Env>) =>
    (await certified(context.env.peer, (der) => to.verifyAgent(der))).agent;
  app.get("/v1/agent/policy", async (context) => {
    const agent = await agentOf(context);
    return await answerPoll(context.req.raw, {
      changes: to.changes,
      delay: to.delay,
      renders,
      key: agent.agentId,
      compute: async () => {
        await agentOf(context);
        return { key: "policy", value: () => to.policy() };
      },
    });
  });
  app.post("/v1/agent/renew", async (context) => {
    const agent = await agentOf(context);
    const request = await readJson(context.req.raw, AgentRenewRequestSchema);
    return secret(await to.joins.renew(agent, request, context.env.peer));
  });
  app.post("/v1/leaf/renew", async (context) => {
    const { agent } = await certified(
      context.env.peer,
      (der) => Promise.resolve(to.verifyLeaf(der)),
    );
    const request = await readJson(context.req.raw, LeafRenewRequestSchema);
    const { name: leaf, joinId = "" } = agent;
    return secret(await to.leafJoins.renew({ leaf, joinId }, request, context.env.peer));
  });
  app.post("/v1/agent/audit", async (context) => {
    const agent = await agentOf(context);
    const { events, partial = false } = await readJson(context.req.raw, AgentAuditRequestSchema);
    const refused = await to.reportFlow(agent, events, { partial });
    return partial ? secret({ refused }) : new Response(null, { status: 204 });
  });
}

/** @throws {AuthError} When no certificate was shown, or not a good one. */
async function certified<Verdict extends { readonly kind: string }>(
  peer: Peer,
  verify: (der: Uint8Array) => Promise<Verdict>,
): Promise<Extract<Verdict, { readonly kind: "good" }>> {
  if (peer.certificate === null) {
    throw refusal("certificate-required", {
      message: "A client certificate is required",
    });
  }
  const verdict: { readonly kind: string } = await verify(peer.certificate);
  if (verdict.kind === "good") return verdict as Extract<Verdict, { readonly kind: "good" }>;
  const { code, message } = verdict as { kind: string; code: ApiRefusalCode; message: string };
  throw refusal(code, { message });
}

function secret(body: unknown): Response {
  return Response.json(body, { headers: { "cache-control": "no-store" } });
}
