import { deepEqual, equal, rejects } from "node:assert/strict";
import { checkResource, type OidcResource } from "../../../config/mod.ts";
import type { Provider } from "./provider.ts";
import { ProviderFault } from "./provider_fault.ts";
import { Providers } from "./providers.ts";

function connector(): OidcResource {
  const resource = checkResource({
    kind: "oidc",
    version: "v1",
    metadata: { name: "corp" },
    spec: {
      issuer_url: "https://id.test",
      client_id: "vnet",
      claims_to_roles: [{ claim: "groups", value: "dev", roles: ["dev"] }],
    },
  }, "oidc/corp");
  if (resource.kind !== "oidc") throw new TypeError("Another kind");
  return resource;
}

/** Providers that are only counted: each says its number. */
function setting() {
  const it = { nowMs: 1_000_000, closed: [] as number[], count: 0 };
  const providers = new Providers(() => it.nowMs, () => {
    const number = ++it.count;
    const provider = { number, [Symbol.dispose]: () => void it.closed.push(number) };
    return Promise.resolve(provider as unknown as Provider);
  });
  const corp = connector();
  const fail = (fault: ProviderFault) =>
    rejects(providers.ask(corp, () => Promise.reject(fault)), { kind: fault.kind });
  const ask = () =>
    providers.ask(corp, (it) => Promise.resolve((it as unknown as { number: number }).number));
  return { it, providers, corp, fail, ask };
}

const wrong = () => ProviderFault.of({ error: "invalid_client" });

Deno.test("Providers keeps its provider whatever a browser brings", async () => {
  const { it, ask, fail } = setting();
  equal(await ask(), 1);
  for (const error of ["invalid_client", "x", "constructor"]) {
    await fail(ProviderFault.of({ error, code: "OAUTH_AUTHORIZATION_RESPONSE_ERROR" }));
    it.nowMs += 10_000;
  }
  equal(await ask(), 1);
  deepEqual(it.closed, []);
});

Deno.test("Providers asks anew after a provider refused us, at most every three seconds", async () => {
  const { it, ask, fail } = setting();
  await fail(wrong());
  equal(await ask(), 2); // the secret may be right by now
  for (let n = 0; n < 20; n++) {
    await fail(wrong());
    it.nowMs += 100;
  }
  equal(it.count, 2);
  it.nowMs += 3_000;
  equal(await ask(), 3);
  await ask();
  deepEqual(it.closed, [1, 2]);
});

Deno.test("Providers closes what is still in use when its last user is done", async () => {
  const { it, providers, corp, ask, fail } = setting();
  const [one, two] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const asking = [one, two].map(({ promise }) => providers.ask(corp, () => promise));
  await fail(wrong());
  equal(await ask(), 2);
  deepEqual(it.closed, []);
  one.resolve();
  await asking[0];
  deepEqual(it.closed, []);
  two.resolve();
  await asking[1];
  await ask();
  deepEqual(it.closed, [1]);
  providers[Symbol.dispose]();
  await Promise.resolve();
  deepEqual(it.closed, [1, 2]);
});

Deno.test("Providers lets a provider alone that it could not ask", async () => {
  let count = 0;
  let nowMs = 0;
  const providers = new Providers(() => nowMs, () => {
    count++;
    return Promise.reject(new ProviderFault("misconfigured", "A file cannot be read"));
  });
  for (let n = 0; n < 5; n++) {
    await rejects(providers.ask(connector(), () => Promise.resolve()), { kind: "misconfigured" });
  }
  equal(count, 1);
  nowMs += 3_000;
  await rejects(providers.ask(connector(), () => Promise.resolve()), { kind: "misconfigured" });
  equal(count, 2);
});
