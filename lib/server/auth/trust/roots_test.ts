import { rejects } from "node:assert/strict";
import { checkResource, type TrustedClusterResource } from "../../../config/mod.ts";
import { MAX_TRUSTED_CLUSTERS } from "../../../wire/mod.ts";
import { Roots } from "./roots.ts";

type Options = ConstructorParameters<typeof Roots>[0];

Deno.test("a cluster has no more roots than its agents are told of", async () => {
  const trusts = Array.from({ length: MAX_TRUSTED_CLUSTERS }, (_, i) => `root-${i}.example`);
  const roots = new Roots({
    cluster: "leaf.example",
    store: { trusts: { get: () => Promise.resolve(null) } },
    directory: {
      trusts: new Map(trusts.map((cluster) => [cluster, { cluster, side: "root" }])),
      trustedClusters: [],
      reload: () => Promise.resolve(),
    },
  } as unknown as Options);
  const one = checkResource({
    kind: "trusted_cluster",
    version: "v1",
    metadata: { name: "one-more.example" },
    spec: {
      web_proxy_addr: "127.0.0.1:1",
      role_map: [{ remote: "dev", local: ["access"] }],
    },
  }, "one") as TrustedClusterResource;
  await rejects(roots.join(one, "0".repeat(32)), {
    code: "trust-refused",
    message: /has 64 roots, and takes no more/,
  });
});
