/**
 * What a login to a cluster of vnet's own kind leaves in a profile.
 *
 * @module
 */
import { z } from "zod";
import {
  formatHttpProxy,
  type HostPort,
  type HttpProxy,
  parseHttpProxy,
} from "../../../config/mod.ts";
import { type Dialer, dialTcp, dialThrough, type ServerSettings } from "../../../io/mod.ts";
import { damagedLogin, type Profile } from "../profile.ts";

/** What `kind` says in profiles of this kind. */
export const OWN_KIND = "vnet";

const CredentialsSchema = z.object({
  certificate: z.string(),
  private_key: z.string(),
  host_cas: z.array(z.string()).min(1),
  /** How the proxy's own certificate is verified: `null` by the public roots, else by this CA pin. */
  ca_pin: z.string().nullable(),
  /** The HTTP proxy on the way, as its URL; it may hold a password. */
  http_proxy: z.string().refine((text) => parseHttpProxy(text) !== null).optional(),
});

/** A login, in values. */
export interface OwnLogin {
  readonly proxy: HostPort;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly hostCaPems: readonly string[];
  readonly caPin: string | null;
  /** The HTTP proxy on the way to the cluster's, as it was when logging in; `null` for none. */
  readonly httpProxy: HttpProxy | null;
  readonly expiresMs: number;
}

/** Reads the credentials of a profile. @throws VnetError `profile-damaged` */
export function readLogin(profile: Profile): OwnLogin {
  const { proxy, credentials, expiresMs } = profile;
  const parsed = CredentialsSchema.safeParse(credentials);
  if (!parsed.success) throw damagedLogin(profile, parsed.error);
  const { certificate, private_key, host_cas, ca_pin, http_proxy } = parsed.data;
  return {
    proxy,
    certificatePem: certificate,
    privateKeyPem: private_key,
    hostCaPems: host_cas,
    caPin: ca_pin,
    httpProxy: http_proxy === undefined ? null : parseHttpProxy(http_proxy),
    expiresMs,
  };
}

/** Writes what {@link readLogin} reads. */
export function writeCredentials(login: OwnLogin): Profile["credentials"] {
  return {
    certificate: login.certificatePem,
    private_key: login.privateKeyPem,
    host_cas: [...login.hostCaPems],
    ca_pin: login.caPin,
    ...(login.httpProxy === null ? {} : { http_proxy: formatHttpProxy(login.httpProxy) }),
  } satisfies z.input<typeof CredentialsSchema>;
}

/**
 * How the proxy of a login is reached, and known: by its pin, or by the public authorities and the cluster's own.
 */
export function serverOf(login: OwnLogin, nowMs: () => number): Omit<ServerSettings, "identity"> {
  return {
    server: login.proxy,
    trust: {
      kind: "authorities",
      pems: login.hostCaPems,
      ...(login.caPin === null ? { orPublic: true } : {}),
    },
    dial: dialerOf(login.httpProxy),
    nowMs,
  };
}

/** The same with the login's own certificate shown. */
export function serverAsUser(login: OwnLogin, nowMs: () => number): ServerSettings {
  const { certificatePem, privateKeyPem } = login;
  return { ...serverOf(login, nowMs), identity: { certificatePem, privateKeyPem } };
}

/** The way through an HTTP proxy, or the direct one. */
export function dialerOf(httpProxy: HttpProxy | null): Dialer {
  return httpProxy === null ? dialTcp : dialThrough(httpProxy);
}
