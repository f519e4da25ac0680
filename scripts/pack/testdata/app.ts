// deno-lint-ignore-file no-console -- what it prints is what the tests read
/**
 * A program that leans on everything the packed form has to carry: the shim, the runtime's own modules, the npm
 * packages that are touchy about bundling, children of its own executable, signals and exit statuses.
 */
import "reflect-metadata";
import { Pkcs10CertificateRequestGenerator } from "@peculiar/x509";
import { Hono } from "hono";
import { getLogger } from "@logtape/logtape";
import { object } from "@optique/core/constructs";
import { option } from "@optique/core/primitives";
import { parse } from "@optique/core/parser";
import { integer } from "@optique/core/valueparser";
import { load } from "deno_tun";
import { TOTP } from "otpauth";
import { getDomain } from "tldts";
// @ts-types="@types/ws"
import { WebSocket, WebSocketServer } from "ws";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import tls from "node:tls";
import { DatabaseSync } from "node:sqlite";
import { once } from "node:events";

const place = (name: string): unknown => Reflect.get(globalThis, Symbol.for(`vnet.${name}`));

async function x509(): Promise<string> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const keys = await crypto.subtle.generateKey(algorithm, false, ["sign", "verify"]);
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: "CN=app",
    keys: keys as CryptoKeyPair,
    signingAlgorithm: { ...algorithm, hash: "SHA-256" },
  });
  return String(await request.verify());
}

async function websocket(): Promise<string> {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  server.on("connection", (peer) => peer.on("message", (m: Uint8Array) => peer.send(m)));
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as { port: number }).port}`);
  await once(client, "open");
  // Long enough for ws to look for its optional native helper.
  client.send("hello ".repeat(20));
  const [message] = await once(client, "message");
  client.close();
  server.close();
  return String(message);
}

function sqlite(): string {
  const db = new DatabaseSync(":memory:");
  db.exec("create table t (x integer); insert into t values (41)");
  const row = db.prepare("select x + 1 as x from t").get();
  db.close();
  return String(row?.x);
}

async function child(): Promise<string> {
  const command = new Deno.Command(String(place("self")), {
    args: ["child", "--help", "--", "-x"],
  });
  const { code, stdout } = await command.output();
  return `${code} ${new TextDecoder().decode(stdout).trim()}`;
}

async function everything(): Promise<Record<string, unknown>> {
  const options = parse(object({ n: option("-n", integer()) }), ["-n", "3"]);
  return {
    abi: load(String(place("shim"))).symbols.vnet_abi_version(),
    build: place("build"),
    self: place("self"),
    execPath: Deno.execPath(),
    args: Deno.args,
    env: Deno.env.toObject(),
    comm: Deno.readTextFileSync("/proc/self/comm").trim(),
    cmdline: Deno.readTextFileSync("/proc/self/cmdline").split("\0").slice(0, -1),
    tls: typeof tls.createSecureContext({}).context,
    sqlite: sqlite(),
    x509: await x509(),
    ws: await websocket(),
    hono: await (await new Hono().get("/", (c) => c.text("hono")).request("/")).text(),
    log: getLogger(["vnet", "app"]).category,
    optique: options.success ? options.value.n : null,
    totp: new TOTP({ secret: "GEZDGNBVGY3TQOJQ" }).generate({ timestamp: 59_000 }).length,
    tldts: getDomain("www.example.co.uk"),
    yaml: parseYaml("a: [1, 2]"),
    zod: z.object({ n: z.number() }).safeParse({ n: 1 }).success,
    child: await child(),
  };
}

async function main(args: readonly string[]): Promise<number> {
  switch (args[0]) {
    case "version":
      console.log("app 1");
      return 0;
    case "child":
      console.log(JSON.stringify(args.slice(1)));
      return 7;
    case "self":
      console.log(place("self"));
      return 0;
    case "wait":
      Deno.addSignalListener("SIGTERM", () => Deno.exit(9));
      console.log("ready");
      await new Promise((resolve) => setTimeout(resolve, 30_000));
      return 1;
    case "throw":
      throw new Error("on purpose");
    default:
      console.log(JSON.stringify(await everything()));
      return 0;
  }
}

main(Deno.args).then(Deno.exit);
