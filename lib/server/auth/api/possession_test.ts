/**
 * Everything here trusts that a TLS session proves that the peer holds the key of the certificate it shows, also with
 * `rejectUnauthorized: false`. Deno must keep that promise, so it is asked with a client that lies: OpenSSL takes a
 * private key for a certificate's when the public half written beside it fits.
 *
 * @module
 */
import { equal, match } from "node:assert/strict";
import { needing } from "../../../../tests/needs.ts";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import tls from "node:tls";
import { generateKeyPair, importPublicKey, splitPem, toPem } from "../../../io/mod.ts";
import { Fixture, sharedKey } from "../../../../tests/doubles/auth_service.ts";

/** The private scalar of one key beside the public point of another. @see RFC 5915 */
async function mixedKey(publicKeyPem: string): Promise<string> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const stranger = await crypto.subtle.generateKey(algorithm, true, ["sign"]);
  const { d } = await crypto.subtle.exportKey("jwk", stranger.privateKey);
  const scalar = Uint8Array.fromBase64(d!, { alphabet: "base64url" });
  const point = new Uint8Array(
    await crypto.subtle.exportKey("raw", (await importPublicKey(publicKeyPem))!),
  );
  const wrap = (tag: number, ...parts: Uint8Array[]) => {
    const body = parts.flatMap((part) => [...part]);
    return new Uint8Array([tag, body.length, ...body]);
  };
  const curve = Uint8Array.fromHex("06082a8648ce3d030107");
  const key = wrap(
    0x30,
    wrap(0x02, new Uint8Array([1])),
    wrap(0x04, scalar),
    wrap(0xa0, curve),
    wrap(0xa1, wrap(0x03, new Uint8Array([0]), point)),
  );
  return toPem("EC PRIVATE KEY", key);
}

Deno.test(needing(["openssl"], "a certificate without its key opens no session", async (t) => {
  await using f = await Fixture.open();
  const { password } = await f.addUser("alice");
  const { body: { certificate } } = await f.login("alice", password);
  const proxy = await generateKeyPair();
  const { chainPem } = await f.auth.issueProxyCertificate(["localhost"], proxy.publicKeyPem);
  const files = {
    cert: join(f.dataDir, "cert"),
    own: join(f.dataDir, "own"),
    mixed: join(f.dataDir, "mixed"),
  };
  await Deno.writeTextFile(files.cert, certificate);
  await Deno.writeTextFile(files.own, sharedKey.privateKeyPem);
  await Deno.writeTextFile(files.mixed, await mixedKey(sharedKey.publicKeyPem));
  let sessions = 0;
  const server = tls.createServer({
    cert: splitPem(chainPem)[0]!,
    key: proxy.privateKeyPem,
    requestCert: true,
    rejectUnauthorized: false,
  }, (socket) => {
    sessions++;
    socket.on("error", () => {});
    socket.end("welcome\n");
  });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const connect = async (version: string, key: string) => {
    const { stdout, stderr } = await new Deno.Command("openssl", {
      args: [
        "s_client",
        "-connect",
        `127.0.0.1:${port}`,
        "-quiet",
        version,
        "-cert",
        files.cert,
        "-key",
        key,
      ],
      stdin: "null",
    }).output();
    return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  };
  try {
    for (const version of ["-tls1_2", "-tls1_3"]) {
      await t.step(`${version}, its own key`, async () => {
        sessions = 0;
        match(await connect(version, files.own), /^welcome$/m);
        equal(sessions, 1);
      });
      // Nothing but the key differs
      await t.step(`${version}, another key`, async () => {
        sessions = 0;
        equal((await connect(version, files.mixed)).includes("welcome"), false);
        equal(sessions, 0);
      });
    }
  } finally {
    server.close();
    await once(server, "close");
  }
}));
