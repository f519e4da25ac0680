/**
 * A cluster that knows a company's identity provider.
 *
 * @module
 */
import { CLIENT_ID, CLIENT_SECRET, type TestProvider } from "../doubles/oidc_provider.ts";
import type { TestCluster } from "./cluster.ts";

/** Puts `oidc/corp`: whoever has a group that begins with "dev" has the role "dev". */
export async function putConnector(
  cluster: TestCluster,
  provider: TestProvider,
  spec: Record<string, unknown> = {},
): Promise<void> {
  const { dataDir } = cluster;
  await Deno.writeTextFile(`${dataDir}/oidc.pem`, provider.caPem);
  await Deno.writeTextFile(`${dataDir}/oidc.secret`, `${CLIENT_SECRET}\n`, { mode: 0o600 });
  await cluster.server.auth.admin.putResource({
    kind: "oidc",
    version: "v1",
    metadata: { name: "corp" },
    spec: {
      issuer_url: provider.issuer,
      client_id: CLIENT_ID,
      client_secret_file: `${dataDir}/oidc.secret`,
      ca_file: `${dataDir}/oidc.pem`,
      display: "Corp",
      scope: ["openid", "profile", "email", "groups"],
      claims_to_roles: [{ claim: "groups", value: "dev*", roles: ["dev"] }],
      claims: ["groups"],
      ...spec,
    },
  }, { replace: true });
}
