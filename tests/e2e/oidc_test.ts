/**
 * Logins by a certified identity provider, through every socket there is.
 *
 * @module
 */
import { deepEqual, equal, match, rejects } from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { z } from "zod";
import type { LoginVisit } from "../../lib/client/cluster/driver.ts";
import { type Profile, ProfileStore } from "../../lib/client/cluster/profile.ts";
import { logInAgain } from "../../lib/client/logins/again.ts";
import { NO_PROXY_VARIABLES } from "../../lib/config/mod.ts";
import type { VnetError } from "../../lib/error.ts";
import { generateKeyPair, HttpClient } from "../../lib/io/mod.ts";
import {
  LoginFinishResponseSchema,
  OidcBeginResponseSchema,
  OidcPendingSchema,
} from "../../lib/wire/mod.ts";
import { PlainBrowser, TestProvider } from "../doubles/oidc_provider.ts";
import { app, audited, echoServer, planned, saysHello, TestCluster } from "./cluster.ts";
import { putConnector } from "./oidc_world.ts";

const never = new AbortController().signal;
const PEOPLE = {
  ann: { preferred_username: "ann", groups: ["developers"], email: "ann@corp.example" },
  alice: { preferred_username: "alice", groups: ["developers"] },
  stranger: { preferred_username: "stranger", groups: ["visitors"] },
  twin: { preferred_username: "ann", groups: ["developers"] },
  odd: { preferred_username: "a b", groups: ["developers"] },
};

type Browse = (visit: LoginVisit) => Promise<void>;

function logIn(
  cluster: TestCluster,
  visit: Browse,
  options: { readonly isRemote?: boolean; readonly earlier?: Profile } = {},
): Promise<Profile> {
  return cluster.driver.login({
    proxy: cluster.address,
    user: "whoever",
    isUserNamed: false,
    caPin: cluster.server.caPin,
    proxies: NO_PROXY_VARIABLES,
    ttlMs: null,
    earlier: options.earlier ?? null,
    ask: {
      password: () => Promise.reject(new TypeError("No password is asked for")),
      totp: () => Promise.reject(new TypeError("No code is asked for")),
      visit,
      ...(options.isRemote === undefined ? {} : { isRemote: options.isRemote }),
    },
  }, never);
}

/** Has a browser log in as somebody, beside the client that waits. */
function as(browser: PlainBrowser, login: string): Browse {
  return (visit) => {
    const url = visit.kind === "browser" ? visit.url : visit.wholeUrl ?? visit.url;
    browser.logIn(url, login).catch(() => {});
    return Promise.resolve();
  };
}

/** A login in use. */
function linkOf(cluster: TestCluster, profile: Profile) {
  const link = cluster.driver.open(profile);
  const right = (proof: { totpCode: string } | null) =>
    link.right({ target: planned("db"), port: 5432, proof }, never);
  return {
    view: () => link.view(never),
    right,
    open: async () =>
      await link.open({ right: await right(null), target: planned("db"), port: 5432 }, never),
    [Symbol.dispose]: () => void link.close(),
  };
}

async function isIn(cluster: TestCluster, profile: Profile): Promise<void> {
  using link = linkOf(cluster, profile);
  await link.view();
}

async function isOut(
  cluster: TestCluster,
  profile: Profile,
  code = "session-ended",
): Promise<void> {
  using link = linkOf(cluster, profile);
  await rejects(link.view(), { code });
}

const people = (cluster: TestCluster) => ({
  /** Has somebody refused, and looks that it is on record. */
  async refused(browse: Browse, code: string, login = {}): Promise<void> {
    await rejects(logIn(cluster, browse, login), { code });
    await audited(
      cluster,
      (record) =>
        record["event"] === "login.failed" && record["reason"] === code &&
        record["method"] === "oidc" && record["connector"] === "corp",
    );
  },
});

Deno.test("a user of the company's provider logs in, reaches an app by their groups, and is on record", async () => {
  await using echo = echoServer();
  await using provider = await TestProvider.start(PEOPLE);
  await using cluster = await TestCluster.start([app("db", echo.port)]);
  await putConnector(cluster, provider);
  await cluster.served("db");
  using browser = new PlainBrowser(provider.caPem);
  const profile = await logIn(cluster, as(browser, "ann"));
  deepEqual([profile.user, profile.connector], ["ann", "corp"]);
  using link = linkOf(cluster, profile);
  const view = await link.view();
  deepEqual(view.apps.map(({ name }) => name), ["db"]);
  await saysHello(await link.open());
  await audited(
    cluster,
    (record) =>
      record["event"] === "login.ok" && record["user"] === "ann" &&
      record["method"] === "oidc" && record["connector"] === "corp",
  );
  // The daemon, which can show nothing, asks for it with a browser and not for a password
  await new ProfileStore(cluster.dataDir).save(profile);
  const again = logInAgain(
    { proxy: "any", password: "any", totp: null },
    profile,
    { configDir: cluster.dataDir, drivers: [cluster.driver], signal: never },
  );
  await rejects(again, { code: "login-browser" });
  const { sessions } = await cluster.server.auth.admin.listSessions();
  deepEqual(sessions.map(({ user }) => user), ["ann"]);
  // What the browser was sent with is on its own page only, and nobody's password is anywhere
  const events = JSON.stringify(
    await cluster.server.auth.admin.readAudit({ limit: 1000, wait_seconds: 0 }, never),
  );
  for (const url of browser.visited) {
    const { searchParams } = new URL(url);
    for (const name of ["code", "state", "nonce"]) {
      const secret = searchParams.get(name);
      if (secret !== null) equal(events.includes(secret), false);
    }
  }
});

Deno.test("users of a provider and the cluster's own live side by side, and none is taken for another", async () => {
  await using provider = await TestProvider.start(PEOPLE);
  await using cluster = await TestCluster.start([]);
  await putConnector(cluster, provider);
  const { refused } = people(cluster);
  const { admin } = cluster.server.auth;
  using ann = new PlainBrowser(provider.caPem);
  using twin = new PlainBrowser(provider.caPem);
  using other = new PlainBrowser(provider.caPem);
  using odd = new PlainBrowser(provider.caPem);
  using local = new PlainBrowser(provider.caPem);
  const first = await logIn(cluster, as(ann, "ann"));
  equal((await cluster.login("alice")).profile.connector, undefined);
  await refused(as(local, "alice"), "oidc-name-taken"); // a local user's
  await refused(as(twin, "twin"), "oidc-name-taken"); // of somebody who is logged in
  await refused(as(other, "stranger"), "oidc-no-role");
  await refused(as(odd, "odd"), "oidc-user-unusable");
  // Again by the same, as before, and from another machine
  equal((await logIn(cluster, as(ann, "ann"), { earlier: first })).user, "ann");
  await isIn(cluster, first);
  // Once a local user has the name, it is nobody else's
  await cluster.addUser("ann", ["dev"]);
  await isOut(cluster, first);
  await refused(as(ann, "ann"), "oidc-name-taken");
  equal((await cluster.login("ann")).profile.user, "ann");
  await admin.removeResource("user", "ann");
  // Nobody has it: whoever comes first
  equal((await logIn(cluster, as(twin, "twin"))).user, "ann");
  await refused(as(ann, "ann"), "oidc-name-taken");
});

Deno.test("locks, a role's longest login, a restart and the end of the resource hold for users of a provider", async () => {
  await using provider = await TestProvider.start(PEOPLE);
  await using cluster = await TestCluster.start([]);
  await putConnector(cluster, provider);
  const { admin } = cluster.server.auth;
  using browser = new PlainBrowser(provider.caPem);
  await admin.putResource({
    kind: "role",
    version: "v1",
    metadata: { name: "dev" },
    spec: { allow: { app_labels: { env: "dev" } }, options: { max_session_ttl: "5m" } },
  }, { replace: true });
  const profile = await logIn(cluster, as(browser, "ann"));
  equal(Math.round((profile.expiresMs - cluster.clock.nowMs) / 60_000), 5);
  await isIn(cluster, profile);
  for (const target of [{ user: "ann" }, { role: "dev" }]) {
    const { resource } = await admin.lock({ target, force: false });
    await isOut(cluster, profile, "access-locked");
    await rejects(logIn(cluster, as(browser, "ann")), { code: "access-locked" });
    await admin.removeResource("lock", resource.metadata.name);
    await isIn(cluster, profile);
  }
  await cluster.restart();
  await isIn(cluster, profile);
  const after = cluster.server.auth.admin;
  await rejects(after.removeResource("role", "dev"), { code: "resource-in-use" });
  await after.removeResource("oidc", "corp");
  await isOut(cluster, profile);
  await rejects(logIn(cluster, as(browser, "ann")), TypeError); // a password is asked for again
  await rejects(
    after.putResource({
      kind: "oidc",
      version: "v1",
      metadata: { name: "corp" },
      spec: {
        issuer_url: provider.issuer,
        client_id: "vnet",
        claims_to_roles: [{ claim: "groups", value: "*", roles: ["nobody"] }],
      },
    }, { replace: true }),
    { code: "resource-invalid" },
  );
});

Deno.test("what a provider that is away, wrong or declines means is said, and is on record", async () => {
  await using provider = await TestProvider.start(PEOPLE, {
    secret: "another secret altogether here",
  });
  await using cluster = await TestCluster.start([]);
  await putConnector(cluster, provider);
  const { refused } = people(cluster);
  using browser = new PlainBrowser(provider.caPem);
  await refused(as(browser, "ann"), "oidc-misconfigured");
  await refused(async (visit) => {
    // The person presses the provider's "cancel"
    const page = await browser.go(visit.url);
    const abort = /href="([^"]+abort[^"]*)"/.exec(page)?.[1] ?? "";
    browser.go(new URL(abort, browser.visited.at(-1)).href).catch(() => {});
  }, "oidc-denied");
  await putConnector(cluster, provider, { issuer_url: "https://127.0.0.1:1" });
  await refused(() => Promise.resolve(), "oidc-unavailable");
  await putConnector(cluster, provider, { ca_file: undefined });
  await refused(() => Promise.resolve(), "oidc-unavailable");
});

Deno.test("a host without a browser logs in by a code, where the resource allows it", async () => {
  await using provider = await TestProvider.start(PEOPLE);
  await using cluster = await TestCluster.start([]);
  await putConnector(cluster, provider);
  using browser = new PlainBrowser(provider.caPem);
  const isRemote = true;
  const seen: string[] = [];
  const visit = (login: string): Browse => (visit) => {
    seen.push(visit.kind);
    return as(browser, login)(visit);
  };
  equal((await logIn(cluster, visit("ann"), { isRemote })).user, "ann"); // where it is not allowed
  await putConnector(cluster, provider, { device_flow: true });
  equal((await logIn(cluster, visit("ann"), { isRemote })).user, "ann");
  equal((await logIn(cluster, visit("ann"))).user, "ann");
  deepEqual(seen, ["browser", "device", "browser"]);
});

Deno.test("what is stolen of a login on its way is good for nobody else", async () => {
  await using provider = await TestProvider.start(PEOPLE);
  await using cluster = await TestCluster.start([]);
  await putConnector(cluster, provider);
  using browser = new PlainBrowser(provider.caPem);
  using http = new HttpClient(cluster.settings());
  const post = async <T>(path: string, body: unknown, schema: z.ZodType<T>): Promise<T> => {
    const answer = await http.request(
      { method: "POST", path, body, schema, timeoutMs: 60_000 },
      never,
    );
    if (answer.kind === "value") return answer.value;
    throw new TypeError("Nothing came");
  };
  const begin = async (port: number) => {
    const keys = await generateKeyPair();
    const begun = await post("/v1/login/oidc/begin", {
      connector: "corp",
      tls_public_key: keys.publicKeyPem,
      port,
    }, OidcBeginResponseSchema);
    if (!("state" in begun)) throw new TypeError("No browser is wanted");
    return { ...begun, keys };
  };
  const finish = (login: string, query?: string) =>
    post(
      "/v1/login/oidc/finish",
      { login, ...(query === undefined ? {} : { query }) },
      z.union([LoginFinishResponseSchema, OidcPendingSchema]),
    );
  // Nobody listens on that port: the browser stops there
  const mine = await begin(9);
  await browser.logIn(mine.authorization_url, "ann").catch(() => {});
  const query = new URL(browser.visited.at(-1) ?? "").search.slice(1);
  match(query, /code=/);
  // The thief's own login takes neither the state nor the code
  const theirs = await begin(9);
  await rejects(finish(theirs.login, query), { code: "oidc-untrusted" });
  const swapped = new URLSearchParams(query);
  swapped.set("state", theirs.state);
  await rejects(finish(theirs.login, swapped.toString()), { code: "oidc-expired" });
  await rejects(finish(`${mine.login}A`, query), { code: "oidc-expired" });
  await rejects(finish("AAAA", query), { code: "oidc-expired" });

  // With all of it, the certificate is for the key that it began with
  const again = await begin(9);
  using second = new PlainBrowser(provider.caPem);
  await second.logIn(again.authorization_url, "ann").catch(() => {});
  const whole = new URL(second.visited.at(-1) ?? "").search.slice(1);
  const finished = await finish(again.login, whole);
  if ("pending_seconds" in finished) throw new TypeError("It waits");
  const { publicKey } = new X509Certificate(finished.certificate);
  equal(
    publicKey.export({ type: "spki", format: "pem" }).toString().trim(),
    again.keys.publicKeyPem.trim(),
  );
  await rejects(finish(again.login, whole), { code: "oidc-expired" }); // a second time
  const late = await begin(9);
  cluster.clock.nowMs += 6 * 60_000;
  await rejects(finish(late.login, whole), { code: "oidc-expired" });
  await rejects(
    post("/v1/login/oidc/begin", {
      connector: "other",
      tls_public_key: mine.keys.publicKeyPem,
      port: 9,
    }, OidcBeginResponseSchema),
    { code: "oidc-unknown" },
  );
  await rejects(
    post(
      "/v1/login/oidc/begin",
      { connector: "corp", tls_public_key: "x", port: 9 },
      OidcBeginResponseSchema,
    ),
    { code: "public-key-unsupported" },
  );
  await rejects(
    async () => {
      for (let n = 0; n < 40; n++) await begin(9);
    },
    { code: "rate-limited" },
  );
});

Deno.test("an app that asks for a code per connection is refused to users of a provider, in clear words", async () => {
  await using echo = echoServer();
  await using provider = await TestProvider.start(PEOPLE);
  await using cluster = await TestCluster.start([app("db", echo.port)]);
  await putConnector(cluster, provider);
  await cluster.server.auth.admin.putResource({
    kind: "role",
    version: "v1",
    metadata: { name: "dev" },
    spec: { allow: { app_labels: { env: "dev" } }, options: { require_session_mfa: true } },
  }, { replace: true });
  await cluster.served("db");
  using browser = new PlainBrowser(provider.caPem);
  using link = linkOf(cluster, await logIn(cluster, as(browser, "ann")));
  await rejects(link.right(null), { code: "mfa-required" });
  await rejects(link.right({ totpCode: "123456" }), (error: VnetError) => {
    equal(error.code, "mfa-not-enrolled");
    match(error.hint ?? "", /identity provider/);
    return true;
  });
});
