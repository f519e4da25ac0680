/**
 * Logging in by an identity provider. The cluster's server asks the provider; what happens here is that a browser is
 * opened, and that what it comes back with goes to the server, for which alone it is good.
 *
 * @module
 */
import { z } from "zod";
import { AuthError, ProtocolError, VnetError } from "../../../error.ts";
import { DeadlinePassed, orAborted, pause, withDeadline } from "../../../wait.ts";
import {
  type FindResponse,
  type LoginFinishResponse,
  LoginFinishResponseSchema,
  OidcBeginResponseSchema,
  type OidcOffer,
  OidcPendingSchema,
} from "../../../wire/mod.ts";
import type { LoginRequest } from "../driver.ts";

/** As long as the server lets a login take. */
const LOGIN_MS = 5 * 60_000;
/** The server asks the provider several things, each with a deadline of its own. */
const ASK_MS = 60_000;

const FinishSchema = z.union([LoginFinishResponseSchema, OidcPendingSchema]);

/** Asks the cluster. */
export type Ask = <T>(
  path: string,
  schema: z.ZodType<T>,
  body: unknown,
  timeoutMs?: number,
) => Promise<T>;

interface OidcLogin {
  readonly offer: OidcOffer;
  readonly publicKeyPem: string;
  readonly request: LoginRequest;
  readonly ask: Ask;
  readonly nowMs: () => number;
}

/**
 * Chooses how to log in: as is said, else as the login before, else as the cluster would have it.
 *
 * @returns `null` for a password.
 * @throws {VnetError} `oidc-unknown`
 */
export function chooseOffer(
  { auth }: Pick<FindResponse, "auth">,
  request: Pick<LoginRequest, "auth" | "user" | "isUserNamed" | "earlier">,
): OidcOffer | null {
  const offers = auth.oidc ?? [];
  const { earlier, user, isUserNamed = true } = request;
  const byName = (name: string | undefined) => offers.find((offer) => offer.name === name);
  if (request.auth === "local") return null;
  if (request.auth !== undefined && request.auth !== null) {
    const named = byName(request.auth);
    if (named !== undefined) return named;
    throw new AuthError("oidc-unknown", `Cannot log in with "${request.auth}"`, {
      hint: offers.length === 0
        ? "The cluster has no identity provider: leave --auth out"
        : `It has ${offers.map(({ name }) => name).join(", ")}`,
    });
  }
  if (earlier !== null && earlier.connector === undefined) return null;
  const isAgain = earlier?.connector !== undefined && (!isUserNamed || earlier.user === user);
  const before = isAgain ? byName(earlier.connector) : undefined;
  if (before !== undefined) return before;
  return isUserNamed ? null : offers[0] ?? null;
}

/** @throws {AuthError} `oidc-…`; {VnetError} `login-browser` where nobody can be shown anything */
export async function logInByOidc(
  login: OidcLogin,
  signal: AbortSignal,
): Promise<LoginFinishResponse> {
  const { request: { ask, proxy }, offer } = login;
  if (ask.visit === undefined) {
    throw new VnetError("login-browser", "Cannot log in here: the login wants a browser", {
      hint: `Run \`vnet login ${proxy.host}:${proxy.port} --auth ${offer.name}\``,
    });
  }
  const isDevice = ask.isRemote === true && offer.device_flow === true;
  return isDevice
    ? await logInByDevice(login, ask.visit, signal)
    : await logInByBrowser(login, ask.visit, signal);
}

type Visit = NonNullable<LoginRequest["ask"]["visit"]>;

async function logInByBrowser(
  login: OidcLogin,
  visit: Visit,
  signal: AbortSignal,
): Promise<LoginFinishResponse> {
  const { Loopback } = await import("./loopback.ts");
  await using loopback = new Loopback(await login.request.ask.loopbackGuard?.());
  const begun = await begin(login, { port: loopback.port });
  if (!("authorization_url" in begun)) throw mismatch();
  const came = loopback.send({ authorizationUrl: begun.authorization_url, state: begun.state });
  const query = await inTime(LOGIN_MS, signal, async (signal) => {
    await visit({ kind: "browser", url: loopback.url, with: login.offer.display });
    return await orAborted(came, signal);
  });
  const finished = await login.ask("/v1/login/oidc/finish", FinishSchema, {
    login: begun.login,
    query,
  }, ASK_MS);
  if ("pending_seconds" in finished) throw mismatch();
  return finished;
}

async function logInByDevice(
  login: OidcLogin,
  visit: Visit,
  signal: AbortSignal,
): Promise<LoginFinishResponse> {
  const begun = await begin(login, {});
  if (!("device" in begun)) throw mismatch();
  const { device } = begun;
  return await inTime(device.expires_in * 1000, signal, async (signal) => {
    await visit({
      kind: "device",
      url: device.verification_uri,
      wholeUrl: device.verification_uri_complete ?? null,
      code: device.user_code,
      with: login.offer.display,
      expiresMs: login.nowMs() + device.expires_in * 1000,
    });
    let waitSeconds = device.interval;
    for (;;) {
      await pause(waitSeconds * 1000, signal);
      signal.throwIfAborted();
      const answer = await login.ask("/v1/login/oidc/finish", FinishSchema, {
        login: begun.login,
      }, ASK_MS);
      if (!("pending_seconds" in answer)) return answer;
      waitSeconds = answer.pending_seconds;
    }
  });
}

function begin({ ask, offer, publicKeyPem, request }: OidcLogin, how: { readonly port?: number }) {
  return ask("/v1/login/oidc/begin", OidcBeginResponseSchema, {
    connector: offer.name,
    tls_public_key: publicKeyPem,
    ...(request.ttlMs === null ? {} : { ttl_seconds: Math.round(request.ttlMs / 1000) }),
    ...how,
  }, ASK_MS);
}

async function inTime<T>(
  ms: number,
  signal: AbortSignal,
  act: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  try {
    return await withDeadline(ms, signal, act);
  } catch (thrown) {
    if (!(thrown instanceof DeadlinePassed)) throw thrown;
    throw new AuthError("oidc-expired", "Cannot log in: nobody finished it in the browser", {
      hint: "Run `vnet login` again",
    });
  }
}

function mismatch(): VnetError {
  return new ProtocolError("oidc-untrusted", "Cannot log in: the cluster answered something else");
}
