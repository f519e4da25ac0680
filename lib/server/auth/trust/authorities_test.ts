import { equal, rejects } from "node:assert/strict";
import {
  type Authority,
  generateKeyPair,
  importPublicKey,
  issueAuthority,
  issueLeafCertificate,
  loadAuthority,
} from "../../../io/mod.ts";
import { readLeafCertificate } from "./authorities.ts";
import { checkPin } from "./exchange.ts";

const NOW_MS = Date.UTC(2026, 0, 1);
const ROOT = "root.example";

async function authority(cluster: string): Promise<Authority> {
  return await loadAuthority(await issueAuthority({ cluster, kind: "host" }, NOW_MS));
}

async function publicKey(): Promise<CryptoKey> {
  return (await importPublicKey((await generateKeyPair()).publicKeyPem))!;
}

Deno.test("readLeafCertificate() takes what was asked for: of the root, for the key, of the same join", async (t) => {
  const hostCa = await authority(ROOT);
  const key = await publicKey();
  const against = {
    authorities: [hostCa.certificate],
    root: ROOT,
    publicKey: key,
    id: "join-1",
    nowMs: NOW_MS,
  };
  const good = { cluster: ROOT, leaf: "leaf.example", id: "join-1", publicKey: key };
  const certify = async (ca: Authority, more: Partial<typeof good> = {}) =>
    (await issueLeafCertificate(ca, { ...good, ...more }, NOW_MS)).pem;
  equal((await readLeafCertificate(await certify(hostCa), against)).principal?.name, "join-1");
  const anyId = { ...against, id: null };
  equal((await readLeafCertificate(await certify(hostCa), anyId)).principal?.name, "join-1");
  const rows: [name: string, pem: string][] = [
    ["no certificate", "x"],
    ["of another issuer", await certify(await authority(ROOT))],
    ["of another cluster", await certify(hostCa, { cluster: "other.example" })],
    ["of another join", await certify(hostCa, { id: "join-2" })],
    ["for another key", await certify(hostCa, { publicKey: await publicKey() })],
    ["an authority", hostCa.certificate.pem],
  ];
  for (const [name, pem] of rows) {
    await t.step(name, () => rejects(readLeafCertificate(pem, against), { code: "trust-refused" }));
  }
});

Deno.test("checkPin() holds the authorities that were told against the file's", async () => {
  const { certificate: { pin } } = await authority(ROOT);
  checkPin(undefined, [pin]);
  checkPin(pin, ["sha256:0", pin]);
  await rejects(() => Promise.resolve().then(() => checkPin(pin, ["sha256:0"])), {
    code: "trust-refused",
  });
});
