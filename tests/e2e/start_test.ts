import { equal } from "node:assert/strict";
import { parseServerFile } from "../../lib/config/mod.ts";
import { FindResponseSchema } from "../../lib/wire/mod.ts";
import { dialTcp, HttpClient } from "../../lib/io/mod.ts";
import { serveCluster } from "../../lib/server/mod.ts";
import { CompanyCa } from "../doubles/company_ca.ts";
import { app, CLUSTER, never, PROXY_HOST } from "./cluster.ts";

Deno.test("a server whose web certificate is for another name serves, and says that its agent cannot", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "vnet-e2e-" });
  const authority = await CompanyCa.create();
  const other = await authority.issue(["other.example"]);
  await Deno.writeTextFile(`${dataDir}/cert.pem`, other.certificatePem + authority.certificatePem);
  await Deno.writeTextFile(`${dataDir}/key.pem`, other.privateKeyPem);
  const config = parseServerFile(
    `version: v1
cluster_name: ${CLUSTER}
data_dir: ${dataDir}/state
proxy_service:
  public_addr: "${PROXY_HOST}:443"
  listen_addr: "127.0.0.1:0"
  https_keypairs: [{ cert_file: ${dataDir}/cert.pem, key_file: ${dataDir}/key.pem }]
app_service: { apps: [${app("db", 1)}] }
`,
    "server.yaml",
  );
  try {
    await using server = await serveCluster(config, { nowMs: Date.now, localAgentMs: 50 });
    const [host = "", port = ""] = server.listenAddress.split(":");
    using http = new HttpClient({
      server: { host: "other.example", port: Number(port) },
      trust: { kind: "public", more: () => Promise.resolve([authority.certificatePem]) },
      identity: null,
      dial: (_address, signal) => dialTcp({ host, port: Number(port) }, signal),
    });
    const found = await http.request({
      method: "GET",
      path: "/webapi/find",
      schema: FindResponseSchema,
    }, never());
    equal(found.kind, "value");
    equal((await server.auth.admin.status()).apps, 0);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});
