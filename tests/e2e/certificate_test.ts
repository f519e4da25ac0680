import { equal, match } from "node:assert/strict";
import type { TLSSocket } from "node:tls";
import { parseServerFile } from "../../lib/config/mod.ts";
import {
  type Authority,
  dialServer,
  dialTcp,
  generateKeyPair,
  importPublicKey,
  issueAuthority,
  issueProxyCertificate,
  loadAuthority,
  parseCertificate,
} from "../../lib/io/mod.ts";
import { type RunningServer, serveCluster } from "../../lib/server/mod.ts";
import { app, CLUSTER, echoServer, PROXY_HOST } from "./cluster.ts";

/** A server with a certificate from files, of an authority of its own. */
class Site implements AsyncDisposable {
  readonly directory: string;
  readonly #authority: Authority;
  server!: RunningServer;

  private constructor(directory: string, authority: Authority) {
    this.directory = directory;
    this.#authority = authority;
  }

  static async open(certificateCheckMs: number, apps = ""): Promise<Site> {
    const directory = await Deno.makeTempDir({ prefix: "vnet-e2e-" });
    const kept = await issueAuthority({ cluster: CLUSTER, kind: "host" }, Date.now());
    const site = new Site(directory, await loadAuthority(kept));
    await site.renew();
    const config = parseServerFile(
      `version: v1
cluster_name: ${CLUSTER}
data_dir: ${directory}/state
proxy_service:
  public_addr: "${PROXY_HOST}:443"
  listen_addr: "127.0.0.1:0"
  https_keypairs: [{ cert_file: ${directory}/cert.pem, key_file: ${directory}/key.pem }]
app_service: { apps: [${apps}] }
`,
      "server.yaml",
    );
    site.server = await serveCluster(config, { nowMs: Date.now, certificateCheckMs });
    return site;
  }

  /** A certificate and its key. @returns The certificate's serial number too. */
  async pair(name = PROXY_HOST, nowMs = Date.now()) {
    const keys = await generateKeyPair();
    const publicKey = await importPublicKey(keys.publicKeyPem);
    if (publicKey === null) throw new Error("no key");
    const issued = await issueProxyCertificate(
      this.#authority,
      { names: [name], publicKey },
      nowMs,
    );
    return {
      serial: issued.serial,
      cert: issued.pem + this.#authority.certificate.pem,
      key: keys.privateKeyPem,
    };
  }

  /** Puts another pair into the files. @returns Its serial number. */
  async renew(): Promise<string> {
    const { serial, cert, key } = await this.pair();
    await this.write({ cert, key });
    return serial;
  }

  /** Writes as ACME clients do: a file of another inode takes the name. */
  async write(files: { readonly cert?: string; readonly key?: string }): Promise<void> {
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${this.directory}/${name}.new`, text);
      await Deno.rename(`${this.directory}/${name}.new`, `${this.directory}/${name}.pem`);
    }
  }

  /** A connection, and the serial number of the certificate it was shown. */
  async connect(): Promise<{ readonly socket: TLSSocket; readonly serial: string }> {
    const [host = "", port = ""] = this.server.listenAddress.split(":");
    const socket = await dialServer({
      server: { host: PROXY_HOST, port: Number(port) },
      trust: { kind: "authorities", pems: [this.#authority.certificate.pem] },
      identity: null,
      dial: (_address, signal) => dialTcp({ host, port: Number(port) }, signal),
      nowMs: Date.now,
    }, ["http/1.1"]);
    const { raw } = socket.getPeerCertificate();
    return { socket, serial: parseCertificate(new Uint8Array(raw))!.serial };
  }

  async shown(): Promise<string> {
    const { socket, serial } = await this.connect();
    socket.destroy();
    return serial;
  }

  async problem(): Promise<string | undefined> {
    return (await this.server.auth.admin.status()).web_certificate?.problem;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await Deno.remove(this.directory, { recursive: true });
  }
}

/** Asks on a connection that is kept open. */
async function ping(socket: TLSSocket): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onData = (bytes: unknown) => {
    if (String(bytes).includes(CLUSTER)) resolve();
  };
  socket.on("data", onData);
  socket.once("close", () => reject(new Error("the connection was closed")));
  socket.write(`GET /webapi/ping HTTP/1.1\r\nhost: ${PROXY_HOST}\r\n\r\n`);
  await promise;
  socket.off("data", onData);
}

/** Looks again and again until it is so. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!await isSo()) await new Promise((resolve) => setTimeout(resolve, 20));
}

const LATER_MS = 3_600_000;

Deno.test("a certificate in files that change is shown from the next handshake on", async (t) => {
  await using echo = echoServer();
  await using site = await Site.open(20, app("db", echo.port));
  const first = await site.connect();
  await ping(first.socket);

  await t.step("the files are looked at again", async () => {
    const serial = await site.renew();
    await until(async () => await site.shown() === serial);
  });

  await t.step("the connection from before goes on", async () => {
    await ping(first.socket);
    first.socket.destroy();
  });

  await t.step("the server's own agent comes back to it", async () => {
    equal((await site.server.auth.admin.status()).apps, 1);
  });
});

Deno.test("a pair that cannot be used leaves the one before in use, and the status says why", async (t) => {
  await using site = await Site.open(LATER_MS);
  const { serial: held } = await site.connect();
  const other = await site.pair("other.example");
  const old = await site.pair(PROXY_HOST, Date.now() - 90 * 86_400_000);
  const good = await site.pair();
  const certFile = `${site.directory}/cert.pem`;
  const cases: [name: string, files: { cert?: string; key?: string }, problem: RegExp][] = [
    ["a new certificate without its key", { cert: good.cert }, /key of another certificate/],
    ["no certificate", { cert: "\n" }, /cert\.pem: found no certificate/],
    ["half a certificate", { cert: good.cert.slice(0, 300) }, /cert\.pem: found no certificate/],
    [
      "no private key",
      { cert: good.cert, key: good.cert },
      /key\.pem: found no private key, expected the private key of /,
    ],
    ["one for another name", { cert: other.cert, key: other.key }, /for other\.example, expected/],
    ["one that has expired", { cert: old.cert, key: old.key }, /that expired at .*, expected/],
  ];
  for (const [name, files, problem] of cases) {
    await t.step(name, async () => {
      await site.write(files);
      await site.server.reload();
      match(await site.problem() ?? "", problem);
      equal(await site.shown(), held);
    });
  }

  await t.step("a file that is gone", async () => {
    await Deno.remove(certFile);
    await site.server.reload();
    match(await site.problem() ?? "", /cert\.pem: found no such file/);
    equal(await site.shown(), held);
  });

  await t.step("a good one at last: at once, when told", async () => {
    await site.write(good);
    await site.server.reload();
    equal(await site.shown(), good.serial);
    equal(await site.problem(), undefined);
  });
});

Deno.test("a server does not start with a key of another certificate", async () => {
  await using site = await Site.open(LATER_MS);
  const { key } = await site.pair();
  await site.write({ key });
  const config = parseServerFile(
    `version: v1
cluster_name: ${CLUSTER}
data_dir: ${site.directory}/other
proxy_service:
  public_addr: "${PROXY_HOST}:443"
  listen_addr: "127.0.0.1:0"
  https_keypairs: [{ cert_file: ${site.directory}/cert.pem, key_file: ${site.directory}/key.pem }]
`,
    "server.yaml",
  );
  const failed = await serveCluster(config, { nowMs: Date.now }).then(() => null, (error) => error);
  equal(failed?.code, "config-invalid");
  match(failed.message, /found the key of another certificate/);
});
