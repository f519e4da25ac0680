import { deepEqual, equal, notEqual, ok, rejects } from "node:assert/strict";
import { needing } from "../../../tests/needs.ts";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { join } from "node:path";
import { formatPrincipal } from "../../identity/mod.ts";
import { appId, generateKeyPair, importPublicKey } from "../keys.ts";
import {
  type Certificate,
  namesHost,
  parseCertificate,
  splitPem,
  verifyAppClient,
  verifyCertificate,
  verifyLoginClient,
  verifyPinnedServer,
} from "./verify.ts";
import {
  type Authority,
  issueAgentCertificate,
  issueAppCertificate,
  issueAuthority,
  issueProxyCertificate,
  issueUserCertificate,
  loadAuthority,
} from "./issue.ts";

const NOW_MS = Date.UTC(2026, 0, 1);
const HOUR_MS = 3_600_000;
const SESSION = "00112233445566778899aabbccddeeff";

async function authority(kind: "user" | "host", nowMs = NOW_MS): Promise<Authority> {
  return await loadAuthority(await issueAuthority({ cluster: "c.example", kind }, nowMs));
}

async function publicKey(): Promise<CryptoKey> {
  const { publicKeyPem } = await generateKeyPair();
  const key = await importPublicKey(publicKeyPem);
  ok(key);
  return key;
}

async function loginOf(userCa: Authority): Promise<Certificate> {
  return await issueUserCertificate(
    userCa,
    { cluster: "c.example", user: "alice", sessionId: SESSION, publicKey: await publicKey() },
    { nowMs: NOW_MS, requestedMs: null, roleMaxMs: null },
  );
}

async function appOf(
  userCa: Authority,
  userNotAfterMs = NOW_MS + 12 * HOUR_MS,
): Promise<Certificate> {
  return await issueAppCertificate(userCa, {
    cluster: "c.example",
    user: "alice",
    publicKey: await publicKey(),
    claims: {
      cluster: "c.example",
      app: "db",
      publicAddr: "db.example.com",
      port: 5432,
      roles: ["dev"],
      sessionId: SESSION,
      loginId: SESSION,
      mfaTimeMs: null,
    },
  }, { nowMs: NOW_MS, userNotAfterMs });
}

Deno.test("issueUserCertificate() writes the fields it is given and no others", async () => {
  const certificate = await loginOf(await authority("user"));
  equal(certificate.commonName, "alice");
  deepEqual(certificate.principal, { kind: "user", cluster: "c.example", name: "alice" });
  deepEqual(certificate.claims, { kind: "user", cluster: "c.example", sessionId: SESSION });
  deepEqual(certificate.purposes, ["client"]);
  deepEqual(certificate.dnsNames, []);
  equal(certificate.isAuthority, false);
  deepEqual(certificate.validity, {
    notBeforeMs: NOW_MS - 60_000,
    notAfterMs: NOW_MS + 12 * HOUR_MS,
  });
  ok(/^[0-7][0-9a-f]{31}$/.test(certificate.serial), certificate.serial);
});

Deno.test("issueAppCertificate() never outlives the login", async () => {
  const userCa = await authority("user");
  equal((await appOf(userCa)).validity.notAfterMs, NOW_MS + HOUR_MS);
  const short = await appOf(userCa, NOW_MS + 90_000);
  equal(short.validity.notAfterMs, NOW_MS + 90_000);
  await rejects(appOf(userCa, NOW_MS), RangeError);
});

Deno.test("no certificate outlives its authority", async () => {
  const old = await authority("user", NOW_MS - (10 * 365 * 24 - 1) * HOUR_MS);
  equal((await loginOf(old)).validity.notAfterMs, NOW_MS + HOUR_MS);
  const over = await authority("user", NOW_MS - (10 * 365 * 24 + 1) * HOUR_MS);
  await rejects(loginOf(over), RangeError);
});

Deno.test("certificates have serial numbers of their own", async () => {
  const userCa = await authority("user");
  notEqual((await loginOf(userCa)).serial, (await loginOf(userCa)).serial);
});

Deno.test("verifyCertificate() says precisely what is wrong", async (t) => {
  const [userCa, otherCa, hostCa] = await Promise.all([
    authority("user"),
    authority("user"), // of the same name, with another key
    authority("host"),
  ]);
  const login = await loginOf(userCa);
  const agent = await issueAgentCertificate(
    hostCa,
    { cluster: "c.example", agentId: "a1", appIds: [], publicKey: await publicKey() },
    NOW_MS,
  );
  const tampered = new Uint8Array(login.der);
  tampered[tampered.length - 1]! ^= 1;
  const { notBeforeMs, notAfterMs } = login.validity;
  const cases: [
    name: string,
    what: Uint8Array | string,
    cas: Authority[],
    purpose: "client" | "server",
    nowMs: number,
    want: string,
  ][] = [
    ["DER", login.der, [userCa], "client", NOW_MS, "good"],
    ["PEM", login.pem, [userCa], "client", NOW_MS, "good"],
    ["one of several authorities", login.der, [otherCa, hostCa, userCa], "client", NOW_MS, "good"],
    ["its first second", login.der, [userCa], "client", notBeforeMs, "good"],
    [
      "a moment before",
      login.der,
      [userCa],
      "client",
      notBeforeMs - 1,
      "certificate-not-yet-valid",
    ],
    ["its last millisecond", login.der, [userCa], "client", notAfterMs - 1, "good"],
    ["its end", login.der, [userCa], "client", notAfterMs, "certificate-expired"],
    [
      "another authority of that name",
      login.der,
      [otherCa],
      "client",
      NOW_MS,
      "certificate-foreign",
    ],
    [
      "foreign comes before expired",
      login.der,
      [otherCa],
      "client",
      notAfterMs,
      "certificate-foreign",
    ],
    ["the host CA for a user", login.der, [hostCa], "client", NOW_MS, "certificate-foreign"],
    ["no authority at all", login.der, [], "client", NOW_MS, "certificate-foreign"],
    [
      "a client certificate as a server",
      login.der,
      [userCa],
      "server",
      NOW_MS,
      "certificate-foreign",
    ],
    ["an agent as a server", agent.der, [hostCa], "server", NOW_MS, "good"],
    ["an agent as a client", agent.der, [hostCa], "client", NOW_MS, "good"],
    [
      "an authority itself",
      userCa.certificate.der,
      [userCa],
      "client",
      NOW_MS,
      "certificate-foreign",
    ],
    ["a broken signature", tampered, [userCa], "client", NOW_MS, "certificate-foreign"],
    [
      "a leaf as an authority",
      login.der,
      [{ ...userCa, certificate: login }],
      "client",
      NOW_MS,
      "certificate-foreign",
    ],
    [
      "half a certificate",
      login.der.subarray(0, 200),
      [userCa],
      "client",
      NOW_MS,
      "certificate-malformed",
    ],
    ["no bytes", new Uint8Array(), [userCa], "client", NOW_MS, "certificate-malformed"],
    ["a text", "hello", [userCa], "client", NOW_MS, "certificate-malformed"],
  ];
  for (const [name, what, cas, purpose, nowMs, want] of cases) {
    await t.step(name, () => {
      const authorities = cas.map(({ certificate }) => certificate);
      const verdict = verifyCertificate(what, { authorities, purpose, nowMs });
      equal(verdict.kind === "good" ? "good" : verdict.code, want);
    });
  }
});

Deno.test("a login is no app client, and an app client is no login", async () => {
  const userCa = await authority("user");
  const [login, app] = [await loginOf(userCa), await appOf(userCa)];
  const against = { userCas: [userCa.certificate], nowMs: NOW_MS };
  const kindOf = (verdict: { readonly kind: string; readonly code?: string }) =>
    verdict.code ?? verdict.kind;
  equal(kindOf(verifyLoginClient(login.der, against)), "good");
  equal(kindOf(verifyLoginClient(app.der, against)), "certificate-foreign");
  equal(kindOf(verifyAppClient(app.der, against)), "good");
  equal(kindOf(verifyAppClient(login.der, against)), "certificate-foreign");
  const expired = { ...against, nowMs: NOW_MS + HOUR_MS };
  equal(kindOf(verifyAppClient(app.der, expired)), "certificate-expired");
  equal(kindOf(verifyLoginClient(login.der, expired)), "good");
});

Deno.test("verifyPinnedServer() wants the pinned authority in the chain, and a proxy or the host in the leaf", async (t) => {
  const [hostCa, otherCa] = await Promise.all([authority("host"), authority("host")]);
  const names = ["proxy.example.com", "127.0.0.1", "2001:db8::1"];
  const leaf = await issueProxyCertificate(hostCa, { names, publicKey: await publicKey() }, NOW_MS);
  const chain = [leaf.der, hostCa.certificate.der];
  const { pin } = hostCa.certificate;
  const id = appId("c.example", "db");
  const agent = await issueAgentCertificate(
    hostCa,
    { cluster: "c.example", agentId: "a1", appIds: [id], publicKey: await publicKey() },
    NOW_MS,
  );
  const agents = [agent.der, hostCa.certificate.der];
  const companyCa = await authority("user"); // any that is no host CA
  const company = companyCa.certificate;
  const pretended = await issueProxyCertificate(
    companyCa,
    { names, publicKey: await publicKey() },
    NOW_MS,
  );
  const companys = [pretended.der, company.der];
  const cases: [name: string, chain: Uint8Array[], pins: string[], host: string, want: string][] = [
    ["by name", chain, [pin], "Proxy.Example.com", "good"],
    ["by IPv4 address", chain, [pin], "127.0.0.1", "good"],
    ["by IPv6 address", chain, [pin], "2001:DB8:0::1", "good"],
    ["one of several pins", chain, [otherCa.certificate.pin, pin], "127.0.0.1", "good"],
    ["a wrong pin", chain, [otherCa.certificate.pin], "127.0.0.1", "certificate-foreign"],
    ["no pin", chain, [], "127.0.0.1", "certificate-foreign"],
    ["by an alias: the pin says who it is", chain, [pin], "alias.example.net", "good"],
    ["by another address", chain, [pin], "192.0.2.7", "good"],
    ["an agent's", agents, [pin], "proxy.example.com", "certificate-foreign"],
    ["an agent's under a name of its own", agents, [pin], `t.${id}.app.vnet.internal`, "good"],
    ["of a company's authority, by name", companys, [company.pin], "127.0.0.1", "good"],
    [
      "of a company's authority, another host",
      companys,
      [company.pin],
      "a.test",
      "certificate-foreign",
    ],
    ["no authority in the chain", [leaf.der], [pin], "127.0.0.1", "certificate-foreign"],
    ["the pin of the leaf", chain, [leaf.pin], "127.0.0.1", "certificate-foreign"],
    [
      "a pinned authority that signed nothing",
      [leaf.der, otherCa.certificate.der],
      [otherCa.certificate.pin],
      "127.0.0.1",
      "certificate-foreign",
    ],
    ["no chain", [], [pin], "127.0.0.1", "certificate-malformed"],
  ];
  for (const [name, shown, pins, host, want] of cases) {
    await t.step(name, () => {
      const verdict = verifyPinnedServer(shown, { pins, host, nowMs: NOW_MS });
      equal(verdict.kind === "good" ? "good" : verdict.code, want);
    });
  }
});

Deno.test("namesHost() takes a star for one label", async () => {
  const id = appId("c.example", "db");
  const agent = await issueAgentCertificate(
    await authority("host"),
    { cluster: "c.example", agentId: "a1", appIds: [id], publicKey: await publicKey() },
    NOW_MS,
  );
  equal(namesHost(agent, `ticket.${id}.app.vnet.internal`), true);
  equal(namesHost(agent, `a.b.${id}.app.vnet.internal`), false);
  equal(namesHost(agent, `${id}.app.vnet.internal`), false);
  equal(namesHost(agent, "ticket.0000000000000000.app.vnet.internal"), false);
});

Deno.test("parseCertificate() answers null or a certificate, whatever the bytes", async () => {
  const { der } = await loginOf(await authority("user"));
  for (let at = 0; at < der.length; at += 7) {
    const broken = new Uint8Array(der);
    broken[at]! ^= 0xff;
    const parsed = parseCertificate(broken);
    ok(parsed === null || parsed.der.length > 0);
  }
});

Deno.test("importPublicKey() takes P-256 keys only", async () => {
  const { privateKeyPem, publicKeyPem } = await generateKeyPair();
  ok(await importPublicKey(publicKeyPem));
  equal(await importPublicKey(privateKeyPem), null);
  equal(await importPublicKey("hello"), null);
  const other = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-384" }, true, [
    "sign",
  ]);
  const spki = await crypto.subtle.exportKey("spki", other.publicKey);
  equal(
    await importPublicKey(
      `-----BEGIN PUBLIC KEY-----\n${new Uint8Array(spki).toBase64()}\n-----END PUBLIC KEY-----\n`,
    ),
    null,
  );
});

Deno.test(needing(["openssl"], "a second reader, OpenSSL, agrees", async (t) => {
  const openssl = async (...args: string[]) => {
    const { code, stdout, stderr } = await new Deno.Command("openssl", { args }).output();
    const text = new TextDecoder();
    return { code, out: text.decode(stdout) + text.decode(stderr) };
  };
  const directory = await Deno.makeTempDir();
  try {
    const [userCa, hostCa] = [await authority("user"), await authority("host")];
    const id = appId("c.example", "db");
    const agent = await issueAgentCertificate(
      hostCa,
      { cluster: "c.example", agentId: "a1", appIds: [id], publicKey: await publicKey() },
      NOW_MS,
    );
    const files = {
      userCa: userCa.certificate,
      hostCa: hostCa.certificate,
      app: await appOf(userCa),
      agent,
    };
    const path = (name: string) => join(directory, `${name}.pem`);
    for (const [name, { pem }] of Object.entries(files)) await Deno.writeTextFile(path(name), pem);
    const verify = (ca: string, leaf: string, purpose: string, nowMs = NOW_MS) =>
      openssl(
        ...["verify", "-x509_strict", "-purpose", purpose, "-attime", String(nowMs / 1000)],
        ...["-CAfile", path(ca), path(leaf)],
      );
    await t.step("the chains hold, for their purposes, in their time", async () => {
      deepEqual(await verify("userCa", "app", "sslclient"), {
        code: 0,
        out: `${path("app")}: OK\n`,
      });
      equal((await verify("hostCa", "agent", "sslserver")).code, 0);
      equal((await verify("hostCa", "agent", "sslclient")).code, 0);
      notEqual((await verify("hostCa", "app", "sslclient")).code, 0);
      notEqual((await verify("userCa", "app", "sslserver")).code, 0);
      notEqual((await verify("userCa", "app", "sslclient", NOW_MS + HOUR_MS + 1000)).code, 0);
    });
    await t.step("the text says what we wrote", async () => {
      const { out } = await openssl("x509", "-noout", "-text", "-in", path("app"));
      const uri = formatPrincipal({ kind: "user", cluster: "c.example", name: "alice" });
      ok(out.includes(`URI:${uri}\n`), out);
      ok(out.includes("Not Before: Dec 31 23:59:00 2025 GMT"), out);
      ok(out.includes("Not After : Jan  1 01:00:00 2026 GMT"), out);
      ok(out.includes("CA:FALSE"), out);
      ok(out.includes('"app":"db"'), out);
      const served = await openssl(
        "x509",
        "-noout",
        "-ext",
        "subjectAltName",
        "-in",
        path("agent"),
      );
      ok(served.out.includes(`DNS:*.${id}.app.vnet.internal`), served.out);
    });
    await t.step("the pin is the digest of the public key", async () => {
      const key = await openssl("x509", "-noout", "-pubkey", "-in", path("hostCa"));
      await Deno.writeTextFile(path("key"), key.out);
      await openssl("pkey", "-pubin", "-in", path("key"), "-outform", "DER", "-out", path("der"));
      const { out } = await openssl("dgst", "-sha256", "-r", path("der"));
      equal(hostCa.certificate.pin, `sha256:${out.slice(0, 64)}`);
    });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}));

Deno.test("a kept authority is whole", async () => {
  const kept = await issueAuthority({ cluster: "c.example", kind: "user" }, NOW_MS);
  const certificate = new X509Certificate(kept.certificatePem);
  ok(certificate.checkPrivateKey(createPrivateKey(kept.privateKeyPem)));
  const login = await loginOf(await authority("user"));
  await rejects(loadAuthority({ ...kept, certificatePem: login.pem }), TypeError);
  deepEqual(splitPem(kept.certificatePem + login.pem), [kept.certificatePem, login.pem]);
});
