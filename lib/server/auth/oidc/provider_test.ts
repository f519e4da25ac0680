import { deepEqual, equal, match, rejects } from "node:assert/strict";
import { HostileProvider, type Twist } from "../../../../tests/doubles/hostile_provider.ts";
import { checkResource, type OidcSpec } from "../../../config/mod.ts";
import { type CodeSecrets, Provider } from "./provider.ts";
import type { ProviderFaultKind } from "./provider_fault.ts";

const SECRETS: CodeSecrets = {
  port: 12345,
  state: "s".repeat(32),
  nonce: "n".repeat(32),
  verifier: "v".repeat(64),
};
const NOW = Math.floor(Date.now() / 1000);

class Setting implements AsyncDisposable {
  private constructor(readonly hostile: HostileProvider, readonly folder: string) {}

  static async create(): Promise<Setting> {
    const hostile = await HostileProvider.start();
    const folder = await Deno.makeTempDir();
    await Deno.writeTextFile(`${folder}/ca.pem`, hostile.caPem);
    await Deno.writeTextFile(`${folder}/secret`, "a secret\n");
    return new Setting(hostile, folder);
  }

  spec(more: Partial<Record<keyof OidcSpec, unknown>> = {}): OidcSpec {
    const resource = checkResource({
      kind: "oidc",
      version: "v1",
      metadata: { name: "corp" },
      spec: {
        issuer_url: this.hostile.issuer,
        client_id: "vnet",
        client_secret_file: `${this.folder}/secret`,
        ca_file: `${this.folder}/ca.pem`,
        claims_to_roles: [{ claim: "groups", value: "dev", roles: ["dev"] }],
        ...more,
      },
    }, "oidc/corp");
    if (resource.kind !== "oidc") throw new TypeError("Another kind");
    return resource.spec;
  }

  /** Goes to the provider as a browser does. @returns The query it is sent back with */
  async browse(provider: Provider, secrets = SECRETS): Promise<string> {
    using client = Deno.createHttpClient({ caCerts: [this.hostile.caPem] });
    const url = await provider.authorizationUrl(secrets);
    const response = await fetch(url, { client, redirect: "manual" });
    await response.body?.cancel();
    return new URL(response.headers.get("location") ?? "").search.slice(1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.hostile[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** A whole login at a provider with something wrong about it. */
async function attempt(setting: Setting, twist: Twist): Promise<unknown> {
  setting.hostile.twist = twist;
  using provider = await Provider.discover(setting.spec(), { deadlineMs: 2_000 });
  return await provider.takeCode(await setting.browse(provider), SECRETS);
}

const huge = () => new Response(new Uint8Array(2_000_000).fill(32));

Deno.test("Provider believes what is for this login and signed; what the provider adds unsigned comes second", async () => {
  await using setting = await Setting.create();
  const claims = { preferred_username: "ann", groups: ["dev"] };
  setting.hostile.twist = { userinfo: { preferred_username: "mallory", groups: ["dev"] } };
  using provider = await Provider.discover(setting.spec());
  const known = await provider.takeCode(await setting.browse(provider), SECRETS);
  equal(known.subject, `${setting.hostile.issuer} ann`);
  for (const [name, value] of Object.entries(claims)) deepEqual(known.claims[name], value);
  const asked = setting.hostile.asked.at(-1);
  equal(asked?.get("code_verifier"), SECRETS.verifier);
  match(await provider.authorizationUrl(SECRETS), /code_challenge_method=S256/);
});

Deno.test("Provider believes no hostile provider", async (t) => {
  await using setting = await Setting.create();
  const rows: readonly (readonly [what: string, Twist, ProviderFaultKind])[] = [
    ["another issuer in the ID token", { claims: { iss: "https://evil.example" } }, "untrusted"],
    [
      "another issuer in the metadata",
      { metadata: { issuer: "https://evil.example" } },
      "untrusted",
    ],
    ["another audience", { claims: { aud: "somebody else" } }, "untrusted"],
    ["several audiences, for another", { claims: { aud: ["vnet", "x"], azp: "x" } }, "untrusted"],
    ["expired", { claims: { exp: NOW - 3600 } }, "clock"],
    ["not yet", { claims: { iat: NOW + 3600, nbf: NOW + 3600 } }, "clock"],
    ["no algorithm", { signature: "none" }, "untrusted"],
    ["an algorithm with the secret", { header: { alg: "HS256" } }, "untrusted"],
    ["another's signature", { signature: "wrong" }, "untrusted"],
    ["an unknown key", { header: { kid: "2" } }, "untrusted"],
    ["another login's nonce", { claims: { nonce: "m".repeat(32) } }, "untrusted"],
    ["no nonce", { claims: { nonce: undefined } }, "untrusted"],
    ["no subject", { claims: { sub: undefined } }, "untrusted"],
    ["userinfo of another", { userinfo: { sub: "mallory" } }, "untrusted"],
    ["no ID token", {
      token: () => Response.json({ access_token: "access", token_type: "Bearer" }),
    }, "untrusted"],
    ["no JSON", { token: () => new Response("<html>") }, "untrusted"],
    ["a huge answer", { token: huge }, "silent"],
    ["huge metadata", { discovery: huge }, "silent"],
    ["huge keys", { keys: huge }, "silent"],
    ["a redirect elsewhere", {
      token: () => Response.redirect("https://127.0.0.1:1/token", 307),
    }, "silent"],
    ["metadata elsewhere", {
      discovery: () => Response.redirect("https://127.0.0.1:1/", 302),
    }, "silent"],
    ["a token endpoint without TLS", {
      metadata: { token_endpoint: "http://127.0.0.1:1/token" },
    }, "untrusted"],
    ["an error page", { token: () => new Response("no", { status: 500 }) }, "silent"],
    ["a wrong secret", {
      token: () => Response.json({ error: "invalid_client" }, { status: 400 }),
    }, "misconfigured"],
    ["a wrong secret, with a challenge", {
      token: () =>
        Response.json({ error: "invalid_client" }, {
          status: 401,
          headers: { "www-authenticate": 'Basic realm="x"' },
        }),
    }, "misconfigured"],
    ["a code that was used", {
      token: () => Response.json({ error: "invalid_grant" }, { status: 400 }),
    }, "expired"],
  ];
  for (const [what, twist, kind] of rows) {
    await t.step(what, async () => {
      await rejects(attempt(setting, twist), { kind });
    });
  }
});

Deno.test("Provider waits for nobody longer than its deadline", async () => {
  await using setting = await Setting.create();
  const late = Promise.withResolvers<Response>();
  setting.hostile.twist = { token: () => late.promise };
  using provider = await Provider.discover(setting.spec(), { deadlineMs: 200 });
  const query = await setting.browse(provider);
  await rejects(provider.takeCode(query, SECRETS), { kind: "silent" });
  late.resolve(new Response());
});

Deno.test("Provider takes only what the browser of this very login came back with", async (t) => {
  await using setting = await Setting.create();
  using provider = await Provider.discover(setting.spec());
  const { issuer } = setting.hostile;
  const good = await setting.browse(provider);
  const changed = (change: (query: URLSearchParams) => void) => {
    const query = new URLSearchParams(good);
    change(query);
    return query.toString();
  };
  const rows: readonly (readonly [what: string, query: string, ProviderFaultKind])[] = [
    ["another state", changed((query) => query.set("state", "x")), "untrusted"],
    ["no state", changed((query) => query.delete("state")), "untrusted"],
    ["two states", changed((query) => query.append("state", "x")), "untrusted"],
    ["another issuer", changed((query) => query.set("iss", "https://evil.example")), "untrusted"],
    ["no issuer where it says it", changed((query) => query.delete("iss")), "untrusted"],
    ["no code", changed((query) => query.delete("code")), "untrusted"],
    ["nothing", "", "untrusted"],
    [
      "declined",
      new URLSearchParams({ error: "access_denied", state: SECRETS.state, iss: issuer }).toString(),
      "denied",
    ],
    [
      "a scope it does not have",
      new URLSearchParams({ error: "invalid_scope", state: SECRETS.state, iss: issuer }).toString(),
      "misconfigured",
    ],
  ];
  for (const [what, query, kind] of rows) {
    const isHearsay = new URLSearchParams(query).has("error");
    await t.step(what, () => rejects(provider.takeCode(query, SECRETS), { kind, isHearsay }));
  }
});

Deno.test("Provider says what cannot be used of a resource, and trusts nobody whom it does not name", async () => {
  await using setting = await Setting.create();
  await rejects(Provider.discover(setting.spec({ client_secret_file: "/nowhere/secret" })), {
    kind: "misconfigured",
  });
  await Deno.writeTextFile(`${setting.folder}/secret`, "\n");
  await rejects(Provider.discover(setting.spec()), { kind: "misconfigured" });
  await rejects(
    Provider.discover(setting.spec({ client_secret_file: undefined, ca_file: undefined })),
    { kind: "silent" },
  );
});
