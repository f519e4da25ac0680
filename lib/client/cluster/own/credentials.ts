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
import {
  type Dialer,
  dialTcp,
  dialThrough,
  MACHINE_STORE,
  type MachineStore,
  type MoreAuthorities,
  type ServerSettings,
} from "../../../io/mod.ts";
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
  /** How the cluster is reached and what decided it, in words. */
  way: z.string().max(1024).optional(),
  /** What `--ca-file` named, PEM. */
  ca_file: z.array(z.string()).max(256).optional(),
  /** What `SSL_CERT_FILE` and `SSL_CERT_DIR` of the login named beside what is built in, PEM. */
  ca_store: z.array(z.string()).max(256).optional(),
});

/** A login, in values. */
export interface OwnLogin {
  /** What the cluster is called. */
  readonly cluster: string;
  readonly proxy: HostPort;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly hostCaPems: readonly string[];
  readonly caPin: string | null;
  /** The HTTP proxy on the way to the cluster's, as it was when logging in; `null` for none. */
  readonly httpProxy: HttpProxy | null;
  /** That in words, and what decided it; `null` if it was not written down. */
  readonly way: string | null;
  /** Authorities that the login went by beside the public ones: named by the person, and by the variables. */
  readonly caFilePems: readonly string[];
  readonly caStorePems: readonly string[];
  readonly expiresMs: number;
}

/** Reads the credentials of a profile. @throws VnetError `profile-damaged` */
export function readLogin(profile: Profile): OwnLogin {
  const { cluster, proxy, credentials, expiresMs } = profile;
  const parsed = CredentialsSchema.safeParse(credentials);
  if (!parsed.success) throw damagedLogin(profile, parsed.error);
  const { certificate, private_key, host_cas, ca_pin, http_proxy, way, ca_file, ca_store } =
    parsed.data;
  return {
    cluster,
    proxy,
    certificatePem: certificate,
    privateKeyPem: private_key,
    hostCaPems: host_cas,
    caPin: ca_pin,
    httpProxy: http_proxy === undefined ? null : parseHttpProxy(http_proxy),
    way: way ?? null,
    caFilePems: ca_file ?? [],
    caStorePems: ca_store ?? [],
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
    ...(login.way === null ? {} : { way: login.way }),
    ...(login.caFilePems.length === 0 ? {} : { ca_file: [...login.caFilePems] }),
    ...(login.caStorePems.length === 0 ? {} : { ca_store: [...login.caStorePems] }),
  } satisfies z.input<typeof CredentialsSchema>;
}

/** What this machine brings to a login: its clock, and whom it trusts. */
export interface Means {
  readonly nowMs: () => number;
  readonly store: MachineStore;
  /** Opens its TCP connections; to any address if not given. */
  readonly dial?: Dialer;
}

/** The machine this program runs on. */
export const THIS_MACHINE: Means = { nowMs: Date.now, store: MACHINE_STORE };

/**
 * How the proxy of a login is reached, and known: by its pin, or by the public authorities, the machine's, those that
 * the login went by, and the cluster's own.
 */
export function serverOf(login: OwnLogin, means: Means): Omit<ServerSettings, "identity"> {
  return {
    server: login.proxy,
    trust: {
      kind: "authorities",
      pems: login.hostCaPems,
      ...(login.caPin === null ? { orPublic: true, more: authoritiesOf(login, means) } : {}),
    },
    dial: dialerOf(login, means),
    nowMs: means.nowMs,
  };
}

/** The same with the login's own certificate shown. */
export function serverAsUser(login: OwnLogin, means: Means): ServerSettings {
  const { certificatePem, privateKeyPem } = login;
  return { ...serverOf(login, means), identity: { certificatePem, privateKeyPem } };
}

/** Whom to trust beside the public authorities that are built in. */
export function authoritiesOf(
  login: Pick<OwnLogin, "caFilePems" | "caStorePems">,
  { store }: Means,
): MoreAuthorities {
  return async () => [...login.caFilePems, ...login.caStorePems, ...await store.pems()];
}

/** The way through an HTTP proxy, or the direct one. */
export function dialerOf(
  login: Pick<OwnLogin, "httpProxy" | "caFilePems" | "caStorePems">,
  means: Means,
): Dialer {
  const { dial = dialTcp } = means;
  if (login.httpProxy === null) return dial;
  return dialThrough(login.httpProxy, { dial, authorities: authoritiesOf(login, means) });
}
