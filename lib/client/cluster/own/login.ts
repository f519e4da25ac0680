/**
 * Meeting a cluster of vnet's own kind, logging in to it and out.
 *
 * @module
 */
import { z } from "zod";
import { describeProxy, proxyFor } from "../../../config/mod.ts";
import { UsageError, VnetError } from "../../../error.ts";
import {
  generateKeyPair,
  HttpClient,
  type MoreAuthorities,
  type ServerTrust,
} from "../../../io/mod.ts";
import { VERSION } from "../../../version.ts";
import {
  type FindResponse,
  FindResponseSchema,
  LoginBeginResponseSchema,
  type LoginFinishResponse,
  LoginFinishResponseSchema,
} from "../../../wire/mod.ts";
import type { Approach, Discovery, LoginRequest } from "../driver.ts";
import type { Profile } from "../profile.ts";
import { type Ask, chooseOffer, logInByOidc } from "./oidc_login.ts";
import {
  authoritiesOf,
  dialerOf,
  type Means,
  OWN_KIND,
  type OwnLogin,
  readLogin,
  serverAsUser,
  writeCredentials,
} from "./credentials.ts";

/** Asks a proxy what anybody may know. */
export async function discover(
  how: Approach,
  means: Means,
  signal: AbortSignal,
): Promise<Discovery> {
  const way = wayTo({ ...how, earlier: null });
  const going = { ...how, ...way, caFilePems: how.authorityPems ?? [], caStorePems: [] };
  using http = approach(going, means);
  const { cluster_name, server_version } = await find(http, signal);
  return { cluster: cluster_name, version: server_version };
}

/** Logs in; nothing secret is sent before the proxy has shown that it is the right one. */
export async function logIn(
  request: LoginRequest,
  means: Means,
  signal: AbortSignal,
): Promise<Profile> {
  const known = knownBy(request);
  const way = wayTo(request);
  const last = request.proxies === null ? lastLogin(request) : null;
  const caStorePems = last?.caStorePems ?? await means.store.named();
  const going = { ...request, ...known, ...way, caStorePems };
  using http = approach(going, means);
  const found = await find(http, signal);
  requireVersion(found.min_client_version);
  const keys = await generateKeyPair();
  const ask: Ask = (path, schema, body, timeoutMs) =>
    askOnce(http, path, schema, signal, body, timeoutMs);
  const offer = chooseOffer(found, request);
  const { publicKeyPem } = keys;
  const finished = offer === null
    ? await logInByPassword(request, publicKeyPem, ask)
    : await logInByOidc({ offer, publicKeyPem, request, ask, nowMs: means.nowMs }, signal);
  const login: OwnLogin = {
    cluster: finished.cluster_name,
    proxy: request.proxy,
    certificatePem: finished.certificate,
    privateKeyPem: keys.privateKeyPem,
    hostCaPems: finished.trust.host_cas,
    ...known,
    caStorePems,
    ...way,
    expiresMs: Date.parse(finished.expires),
  };
  return {
    kind: OWN_KIND,
    proxy: request.proxy,
    cluster: finished.cluster_name,
    user: finished.user,
    expiresMs: login.expiresMs,
    ...(offer === null ? {} : { connector: offer.name }),
    credentials: writeCredentials(login),
  };
}

async function logInByPassword(
  request: LoginRequest,
  publicKeyPem: string,
  ask: Ask,
): Promise<LoginFinishResponse> {
  const begun = await ask("/v1/login/begin", LoginBeginResponseSchema, { user: request.user });
  const password = await request.ask.password();
  const code = begun.second_factor === "off"
    ? ""
    : await request.ask.totp(begun.second_factor === "optional");
  return await ask("/v1/login/finish", LoginFinishResponseSchema, {
    user: request.user,
    password,
    tls_public_key: publicKeyPem,
    ...(code === "" ? {} : { totp_code: code.trim() }),
    ...(request.ttlMs === null ? {} : { ttl_seconds: Math.round(request.ttlMs / 1000) }),
  });
}

/** Tells the cluster that a login is over. */
export async function endLogin(
  login: OwnLogin,
  means: Means,
  signal: AbortSignal,
): Promise<void> {
  using http = new HttpClient(serverAsUser(login, means));
  await askOnce(http, "/v1/logout", z.unknown(), signal, {});
}

/** How the proxy is known: as it is said, or else as for the login that this one takes the place of. */
function knownBy(request: LoginRequest): Pick<OwnLogin, "caPin" | "caFilePems"> {
  const { caPin, authorityPems } = request;
  const last = lastLogin(request);
  // Who names an authority now does not mean the pin of then
  const lastPin = authorityPems === undefined ? last?.caPin ?? null : null;
  return { caPin: caPin ?? lastPin, caFilePems: authorityPems ?? last?.caFilePems ?? [] };
}

/** Which way leads there: as the environment says, or else as for the login that this one takes the place of. */
function wayTo(
  request: Pick<LoginRequest, "proxy" | "proxies" | "earlier">,
): Pick<OwnLogin, "httpProxy" | "way"> {
  const { proxy, proxies } = request;
  if (proxies === null) {
    const { httpProxy = null, way = null } = lastLogin(request) ?? {};
    return { httpProxy, way };
  }
  const decision = proxyFor(proxy, proxies);
  return { httpProxy: decision.proxy, way: describeProxy(decision) };
}

function lastLogin({ earlier }: Pick<LoginRequest, "earlier">): OwnLogin | null {
  return earlier?.kind === OWN_KIND ? readLogin(earlier) : null;
}

function approach(
  how: Approach & Pick<OwnLogin, "caFilePems" | "caStorePems" | "httpProxy">,
  means: Means,
): HttpClient {
  const { proxy, caPin } = how;
  const dial = dialerOf(how, means);
  const trust = firstTrust(caPin, authoritiesOf(how, means));
  return new HttpClient({ server: proxy, trust, dial, identity: null, nowMs: means.nowMs });
}

function firstTrust(caPin: string | null, more: MoreAuthorities): ServerTrust {
  if (caPin === null) return { kind: "public", more };
  if (/^sha256:[0-9a-f]{64}$/.test(caPin)) return { kind: "pins", pins: [caPin] };
  throw new UsageError("usage", `Cannot read the CA pin "${caPin}"`, {
    hint: "Use sha256: and 64 hex digits, as `vnet ctl status` prints it",
  });
}

function find(http: HttpClient, signal: AbortSignal): Promise<FindResponse> {
  return askOnce(http, "/webapi/find", FindResponseSchema, signal);
}

async function askOnce<T>(
  http: HttpClient,
  path: string,
  schema: z.ZodType<T>,
  signal: AbortSignal,
  body?: unknown,
  timeoutMs?: number,
): Promise<T> {
  const method = body === undefined ? "GET" : "POST";
  const limit = timeoutMs === undefined ? {} : { timeoutMs };
  const answer = await http.request({ method, path, schema, body, ...limit }, signal);
  if (answer.kind === "value") return answer.value;
  throw new TypeError("Nothing was known that could be unchanged");
}

function requireVersion(minClientVersion: string): void {
  const [mine, wanted] = [VERSION, minClientVersion].map((text) => text.split(".").map(Number));
  for (let index = 0; index < 3; index++) {
    const have = mine?.[index] ?? 0;
    const need = wanted?.[index] ?? 0;
    if (have > need) return;
    if (have < need) {
      throw new VnetError(
        "client-outdated",
        `The cluster wants vnet ${minClientVersion} or newer`,
        { hint: `This is ${VERSION}; install a newer one` },
      );
    }
  }
}
