import { equal } from "node:assert/strict";
import {
  generateKeyPair,
  importPublicKey,
  issueAppCertificate,
  issueAuthority,
  loadAuthority,
} from "../../io/mod.ts";
import { compilePolicy } from "./policy.ts";

const NOW_MS = Date.UTC(2026, 0, 1);
const SESSION = "0".repeat(32);

async function authorityOf(cluster: string) {
  return await loadAuthority(await issueAuthority({ cluster, kind: "user" }, NOW_MS));
}

Deno.test("an authority vouches for users of its own cluster alone", async (t) => {
  const [leaf, root, other] = await Promise.all(["leaf", "root", "other"].map(authorityOf));
  const { publicKeyPem } = await generateKeyPair();
  const publicKey = (await importPublicKey(publicKeyPem))!;
  const policy = compilePolicy({
    cluster_name: "leaf",
    roles: [],
    locks: [],
    user_cas: [leaf!.certificate.pem],
    trusted_clusters: [{
      cluster_name: "root",
      user_cas: [root!.certificate.pem],
      role_map: [{ remote: "*", local: ["guest"] }],
    }],
  });
  const judge = async (authority: typeof leaf, cluster: string) => {
    const { der } = await issueAppCertificate(authority!, {
      cluster,
      user: "alice",
      publicKey,
      claims: {
        cluster: "leaf",
        app: "db",
        publicAddr: "db.leaf",
        port: 0,
        roles: [],
        sessionId: SESSION,
        loginId: SESSION,
        mfaTimeMs: null,
      },
    }, { nowMs: NOW_MS, userNotAfterMs: NOW_MS + 3_600_000 });
    const verdict = policy.clients.judge(der, NOW_MS);
    return verdict.kind === "good" ? "good" : verdict.code;
  };
  const cases: [name: string, authority: typeof leaf, cluster: string, want: string][] = [
    ["the leaf's own user", leaf, "leaf", "good"],
    ["the root's user", root, "root", "good"],
    ["the root signs for a user of the leaf", root, "leaf", "certificate-foreign"],
    ["the leaf signs for a user of the root", leaf, "root", "certificate-foreign"],
    ["the root signs for a user of a third", root, "other", "certificate-foreign"],
    ["a third signs for a user of the root", other, "root", "certificate-foreign"],
  ];
  for (const [name, authority, cluster, want] of cases) {
    await t.step(name, async () => equal(await judge(authority, cluster), want));
  }
});
