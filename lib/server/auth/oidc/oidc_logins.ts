import type { OidcResource } from "../../../config/mod.ts";
import { signIn } from "../../../identity/mod.ts";
import { importPublicKey, randomHex } from "../../../io/mod.ts";
import { sourceOf } from "../../../ip/mod.ts";
import { getLogger } from "../../../log.ts";
import type { ApiRefusalCode } from "../../../refusal/mod.ts";
import { VnetError } from "../../../error.ts";
import type {
  LoginFinishResponse,
  OidcBeginRequest,
  OidcBeginResponse,
  OidcFinishRequest,
  OidcOffer,
  OidcPending,
} from "../../../wire/mod.ts";
import type { Store, StoredGuest } from "../../store/mod.ts";
import { refusal } from "../api/refusals.ts";
import type { Directory } from "../directory.ts";
import type { FailureAudit } from "../login/failure_audit.ts";
import type { LoginOpener } from "../login/opener.ts";
import { SourceRateLimit } from "../login/rate.ts";
import type { Peer } from "../types.ts";
import type { Known, Provider } from "./provider.ts";
import { ProviderFault, type ProviderFaultKind } from "./provider_fault.ts";
import { Providers } from "./providers.ts";
import { type BegunLogin, Seal } from "./sealed.ts";

const log = getLogger("server", "auth");

/** As for passwords. */
const BEGINS = { burst: 30, perSecond: 0.5 };
/** Whoever waits for a device asks every few seconds. */
const FINISHES = { burst: 60, perSecond: 2 };
/** How long somebody may take at the provider. */
const LOGIN_MS = 5 * 60_000;
const MAX_DEVICE_MS = 15 * 60_000;
const MAX_DEVICE_CODE = 2048;
/** Providers that are told of. */
const MAX_OFFERED = 64;

interface OidcLoginsOptions {
  readonly directory: Directory;
  readonly failures: FailureAudit;
  readonly opener: LoginOpener;
  readonly store: Store;
  /** The cluster's. */
  readonly ticketKey: Uint8Array;
  readonly nowMs: () => number;
  /** What a user may do is something else from here on. */
  readonly onReview: () => void;
  readonly discover?: typeof Provider.discover;
}

/** Logs users of identity providers in. Only the server asks a provider; what has begun is kept by who began it. */
export class OidcLogins {
  readonly #options: OidcLoginsOptions;
  readonly #providers: Providers;
  readonly #seal: Seal;
  readonly #begins = new SourceRateLimit(BEGINS);
  readonly #finishes = new SourceRateLimit(FINISHES);
  #opening: Promise<unknown> = Promise.resolve();

  constructor(options: OidcLoginsOptions) {
    this.#options = options;
    this.#providers = new Providers(options.nowMs, options.discover);
    this.#seal = new Seal(options.ticketKey);
  }

  /** What `/webapi/find` says of it; nothing if there is no provider. */
  offer(): { readonly oidc?: OidcOffer[] } {
    const offers = [...this.#options.directory.connectors.values()].slice(0, MAX_OFFERED).map((
      { metadata: { name }, spec: { display, device_flow } },
    ) => ({ name, display: display ?? name, ...(device_flow ? { device_flow } : {}) }));
    return offers.length === 0 ? {} : { oidc: offers };
  }

  /** @throws {AuthError} `public-key-unsupported`, `oidc-…`, `rate-limited`, `busy`. */
  async begin(request: OidcBeginRequest, peer: Peer): Promise<OidcBeginResponse> {
    const { nowMs } = this.#options;
    this.#begins.take(sourceOf(peer.address), nowMs());
    if (await importPublicKey(request.tls_public_key) === null) throw keyRefused();
    const connector = this.#find(request.connector);
    const begun = {
      connector: request.connector,
      publicKeyPem: request.tls_public_key,
      ttlSeconds: request.ttl_seconds ?? null,
    };
    return await this.#asking(connector, peer, async (provider) => {
      if (request.port === undefined) return await this.#beginDevice(connector, provider, begun);
      const secrets = {
        port: request.port,
        state: randomHex(16),
        nonce: randomHex(16),
        verifier: randomHex(32),
      };
      return {
        login: this.#seal.close({
          ...begun,
          expiresMs: nowMs() + LOGIN_MS,
          flow: { kind: "code", ...secrets },
        }),
        authorization_url: await provider.authorizationUrl(secrets),
        state: secrets.state,
      };
    });
  }

  /**
   * @returns The certificate, for the key that the login began with; or, in the device flow, when to ask again.
   * @throws {AuthError} `oidc-…`, `access-locked`, `rate-limited`, `busy`.
   */
  async finish(
    request: OidcFinishRequest,
    peer: Peer,
  ): Promise<LoginFinishResponse | OidcPending> {
    const { nowMs } = this.#options;
    this.#finishes.take(sourceOf(peer.address), nowMs());
    const begun = this.#seal.open(request.login, nowMs());
    if (begun === null) throw refusal("oidc-expired", { message: "The login has expired" });
    const connector = this.#find(begun.connector);
    const publicKey = await importPublicKey(begun.publicKeyPem);
    if (publicKey === null) throw keyRefused();
    const { flow } = begun;
    const known = await this.#asking(
      connector,
      peer,
      (provider) =>
        flow.kind === "code"
          ? provider.takeCode(request.query ?? "", flow)
          : provider.pollDevice(flow.deviceCode).catch((fault: ProviderFault) => {
            if (fault.kind === "pending") return null;
            throw fault;
          }),
    );
    if (known === null) {
      return { pending_seconds: flow.kind === "device" ? flow.interval : 5 };
    }
    const wish = { publicKey, ttlSeconds: begun.ttlSeconds, peer };
    // One after the other: two people must not get one name
    const opened = this.#opening.then(() => this.#open(connector, known, wish));
    this.#opening = opened.catch(() => {});
    return await opened;
  }

  close(): void {
    this.#providers[Symbol.dispose]();
  }

  async #beginDevice(
    { spec }: OidcResource,
    provider: Provider,
    begun: Pick<BegunLogin, "connector" | "publicKeyPem" | "ttlSeconds">,
  ): Promise<OidcBeginResponse> {
    if (!spec.device_flow) {
      throw refusal("oidc-device-refused", { message: "Logins without a browser are not allowed" });
    }
    const device = await provider.beginDevice();
    const isGood = [device.verificationUri, device.verificationUriComplete ?? "https://"]
      .every((url) => url.startsWith("https://")) && device.deviceCode.length <= MAX_DEVICE_CODE;
    if (!isGood) throw new ProviderFault("untrusted", "Its device flow cannot be used");
    const interval = Math.min(60, Math.max(1, Math.ceil(device.intervalSeconds)));
    const lifeMs = Math.min(MAX_DEVICE_MS, Math.max(1000, device.expiresSeconds * 1000));
    return {
      login: this.#seal.close({
        ...begun,
        expiresMs: Math.floor(this.#options.nowMs() + lifeMs),
        flow: { kind: "device", deviceCode: device.deviceCode, interval },
      }),
      device: {
        user_code: device.userCode,
        verification_uri: device.verificationUri,
        ...(device.verificationUriComplete === null
          ? {}
          : { verification_uri_complete: device.verificationUriComplete }),
        expires_in: Math.floor(lifeMs / 1000),
        interval,
      },
    };
  }

  async #open(
    { metadata: { name: connector }, spec }: OidcResource,
    { subject, claims }: Known,
    wish: Parameters<LoginOpener["open"]>[1],
  ): Promise<LoginFinishResponse> {
    const { directory, store, opener, nowMs, onReview } = this.#options;
    const read = signIn(spec, claims);
    if (read.kind === "bad") {
      const code = read.why === "role" ? "oidc-no-role" : "oidc-user-unusable";
      throw await this.#failed(code, read.words, { connector, peer: wish.peer });
    }
    const { person, roles } = read;
    const { user } = person;
    const refuseTaken = async () => {
      const others = await store.guests.liveOf(user, nowMs());
      const isTaken = directory.users.has(user) || others.some((one) => one.subject !== subject);
      if (!isTaken) return;
      const words = `Somebody else here is called "${user}"`;
      throw await this.#failed("oidc-name-taken", words, { connector, peer: wish.peer, user });
    };
    await refuseTaken();
    const before = directory.guests.of(user);
    const response = await opener.open({
      person,
      roles,
      way: { method: "oidc", connector },
      confirm: refuseTaken,
      opened: (sessionId) =>
        directory.guests.add({ sessionId, user, connector, subject, roles, claims: person.claims }),
    }, wish);
    if (before !== null && rightsOf(before) !== rightsOf(directory.guests.of(user))) onReview();
    return response;
  }

  #find(name: string): OidcResource {
    const connector = this.#options.directory.connectors.get(name);
    if (connector !== undefined) return connector;
    throw refusal("oidc-unknown", { message: `Nobody logs in here with "${name}"` });
  }

  /** Asks a provider; what goes wrong becomes a refusal, is recorded, and is logged where an administrator can help. */
  async #asking<T>(
    connector: OidcResource,
    peer: Peer,
    act: (provider: Provider) => Promise<T>,
  ): Promise<T> {
    try {
      return await this.#providers.ask(connector, act);
    } catch (thrown) {
      if (thrown instanceof VnetError) throw thrown;
      const fault = ProviderFault.of(thrown);
      const { name } = connector.metadata;
      if (OURS.has(fault.kind)) {
        log.warning("A login by an identity provider failed", {
          connector: name,
          error: fault.message,
          cause: rootOf(fault),
        });
      }
      const { code, words } = FAULTS[fault.kind];
      throw await this.#failed(code, `${words} (${fault.message})`, { connector: name, peer });
    }
  }

  async #failed(
    code: ApiRefusalCode,
    message: string,
    { connector, peer, user }: {
      readonly connector: string;
      readonly peer: Peer;
      readonly user?: string;
    },
  ): Promise<Error> {
    await this.#options.failures.write({
      event: "login.failed",
      ...(user === undefined ? {} : { user }),
      source: peer.address,
      method: "oidc",
      connector,
      reason: code,
    });
    return refusal(code, { message });
  }
}

/** What an administrator must hear of. */
const OURS: ReadonlySet<ProviderFaultKind> = new Set([
  "silent",
  "misconfigured",
  "untrusted",
  "clock",
]);

const FAULTS: Readonly<
  Record<ProviderFaultKind, { readonly code: ApiRefusalCode; readonly words: string }>
> = {
  silent: { code: "oidc-unavailable", words: "The identity provider does not answer" },
  misconfigured: {
    code: "oidc-misconfigured",
    words: "The identity provider does not take the cluster's word",
  },
  untrusted: {
    code: "oidc-untrusted",
    words: "What the identity provider says cannot be believed",
  },
  clock: {
    code: "oidc-clock",
    words: "The clocks of the cluster and of the identity provider differ",
  },
  denied: { code: "oidc-denied", words: "The login was declined at the identity provider" },
  expired: { code: "oidc-expired", words: "The login came too late, or a second time" },
  pending: { code: "oidc-expired", words: "The login has not been confirmed" },
};

/** What the machine, or the library, said first. */
function rootOf(error: Error): string {
  let root = error;
  while (root.cause instanceof Error) root = root.cause;
  return root.message.slice(0, 500);
}

function rightsOf(guest: StoredGuest | null): string {
  return JSON.stringify([guest?.roles, guest?.claims]);
}

function keyRefused(): Error {
  return refusal("public-key-unsupported", { message: "The TLS key is not a P-256 key" });
}
