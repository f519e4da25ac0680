/**
 * Logging in and out.
 *
 * @module
 */
import { z } from "zod";
import { parseHostPort, proxyFor, type ProxyVariables } from "../../../config/mod.ts";
import {
  FindResponseSchema,
  LoginBeginResponseSchema,
  LoginFinishResponseSchema,
} from "../../../wire/mod.ts";
import { UsageError, VnetError } from "../../../error.ts";
import { generateKeyPair, HttpClient, type ServerTrust } from "../../../io/mod.ts";
import { getLogger } from "../../../log.ts";
import { VERSION } from "../../../version.ts";
import { dialerOf, serverOf } from "./api.ts";
import { type Profile, profileName, ProfileStore } from "../profile.ts";

const log = getLogger("client", "login");

const DEFAULT_PORT = 443;

export interface LoginOptions {
  readonly proxy: Profile["proxy"];
  readonly user: string;
  /** `sha256:…` of the cluster's host CA; `null` goes by an earlier login's, or else by the public authorities. */
  readonly caPin: string | null;
  /** What the environment says of HTTP proxies; the login remembers the one that it went through. */
  readonly proxies: ProxyVariables;
  readonly ttlMs: number | null;
  readonly configDir: string;
  readonly signal: AbortSignal;
  readonly askPassword: () => Promise<string>;
  /** `optional`: an empty answer means there is none. */
  readonly askTotp: (optional: boolean) => Promise<string>;
}

/** Reads `HOST[:PORT]`. @throws UsageError */
export function parseProxy(text: string): Profile["proxy"] {
  const parsed = parseHostPort(text, DEFAULT_PORT);
  if (parsed !== null) return parsed;
  throw new UsageError("usage", `Cannot read the proxy "${text}"`, {
    hint: "Use HOST or HOST:PORT, for example teleport.example.com:443",
  });
}

/**
 * Logs in and saves the profile. Nothing secret is sent before the proxy has shown that it is the right one.
 *
 * @throws AuthError `login-failed`, `ca-pin-mismatch`, `proxy-untrusted` …; NetworkError `proxy-unreachable` …
 */
export async function login(options: LoginOptions): Promise<Profile> {
  const store = new ProfileStore(options.configDir);
  const caPin = options.caPin ?? (await store.find(options.proxy))?.caPin ?? null;
  const httpProxy = proxyFor(options.proxy, options.proxies);
  using http = new HttpClient({
    server: options.proxy,
    trust: firstTrust(caPin),
    dial: dialerOf(httpProxy),
    identity: null,
  });
  const ask = <T>(path: string, schema: z.ZodType<T>, body?: unknown) =>
    askOnce(http, path, schema, body, options.signal);
  const found = await ask("/webapi/find", FindResponseSchema);
  requireVersion(found.min_client_version);
  const begun = await ask("/v1/login/begin", LoginBeginResponseSchema, { user: options.user });
  const password = await options.askPassword();
  const code = begun.second_factor === "off"
    ? ""
    : await options.askTotp(begun.second_factor === "optional");
  const keys = await generateKeyPair();
  const finished = await ask("/v1/login/finish", LoginFinishResponseSchema, {
    user: options.user,
    password,
    tls_public_key: keys.publicKeyPem,
    ...(code === "" ? {} : { totp_code: code.trim() }),
    ...(options.ttlMs === null ? {} : { ttl_seconds: Math.round(options.ttlMs / 1000) }),
  });
  const profile: Profile = {
    proxy: options.proxy,
    cluster: finished.cluster_name,
    user: finished.user,
    certificatePem: finished.certificate,
    privateKeyPem: keys.privateKeyPem,
    hostCaPems: finished.trust.host_cas,
    caPin,
    httpProxy,
    expiresMs: Date.parse(finished.expires),
  };
  await store.save(profile);
  return profile;
}

/**
 * Forgets logins; the clusters are told, if they can be reached.
 *
 * @param which A profile's name, "" for the only one there is, `null` for all.
 * @returns The names of those that were forgotten.
 * @throws UsageError when the name is none, or "" is not clear.
 */
export async function logout(
  configDir: string,
  which: string | null,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const store = new ProfileStore(configDir);
  const chosen = choose(await store.list(), which);
  for (const profile of chosen) {
    await tellCluster(profile, signal);
    await store.remove(profile.proxy);
  }
  return chosen.map((profile) => profileName(profile.proxy));
}

function choose(profiles: readonly Profile[], which: string | null): readonly Profile[] {
  if (which === null) return profiles;
  if (which === "") {
    if (profiles.length <= 1) return profiles;
    throw new UsageError("usage", "Cannot tell which login to forget: there are several", {
      hint: `Name one of ${
        profiles.map((profile) => profileName(profile.proxy)).join(", ")
      }, or --all`,
    });
  }
  const found = profiles.filter((profile) =>
    profileName(profile.proxy) === which || profile.proxy.host === which
  );
  if (found.length > 0) return found;
  throw new UsageError("profile-unknown", `Cannot forget "${which}": you are not logged in there`, {
    hint: "Run `vnet status` to see where you are",
  });
}

async function tellCluster(profile: Profile, signal: AbortSignal): Promise<void> {
  if (profile.expiresMs <= Date.now()) return;
  using http = new HttpClient({
    ...serverOf(profile),
    identity: { certificatePem: profile.certificatePem, privateKeyPem: profile.privateKeyPem },
  });
  try {
    await askOnce(http, "/v1/logout", z.unknown(), {}, signal);
  } catch (thrown) {
    log.warning("The cluster could not be told of the logout", { error: String(thrown) });
  }
}

function firstTrust(caPin: string | null): ServerTrust {
  if (caPin === null) return { kind: "public" };
  if (/^sha256:[0-9a-f]{64}$/.test(caPin)) return { kind: "pins", pins: [caPin] };
  throw new UsageError("usage", `Cannot read the CA pin "${caPin}"`, {
    hint: "Use sha256: and 64 hex digits, as `vnet ctl status` prints it",
  });
}

async function askOnce<T>(
  http: HttpClient,
  path: string,
  schema: z.ZodType<T>,
  body: unknown,
  signal: AbortSignal,
): Promise<T> {
  const method = body === undefined ? "GET" : "POST";
  const answer = await http.request({ method, path, schema, body }, signal);
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
        {
          hint: `This is ${VERSION}; install a newer one`,
        },
      );
    }
  }
}
