/** `vnet connect` and `vnet proxy` as programs use them: a real cluster, no device, no daemon, no root. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { TOTP, URI } from "otpauth";
import { ProfileStore } from "../../lib/client/mod.ts";
import { writeAll } from "../../lib/io/mod.ts";
import { ConnectV1Schema, ProxyV1Schema } from "../../lib/status/mod.ts";
import { app, echoServer, PASSWORD, TestCluster, TestServer } from "./cluster.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;
const NOBODY = 65_534;

/** A web server with one page. */
const webServer = () =>
  new TestServer(async (conn) => {
    await conn.read(new Uint8Array(4096));
    await conn.write(new TextEncoder().encode("HTTP/1.0 200 OK\r\n\r\nhello from web\n"));
  });

function vnet(
  home: string,
  args: readonly string[],
  stdin: "piped" | "null" = "null",
): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", MAIN, "--home", home, ...args],
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin,
    stdout: "piped",
    stderr: "piped",
  });
}

/** A command that runs until it is ended; its first document is read. */
async function started(home: string, args: readonly string[]) {
  const child = vnet(home, [...args, "--format", "json"]).spawn();
  const errors = new Response(child.stderr).text();
  let text = "";
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  while (!text.endsWith("}\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`It ended: ${await errors}`);
    text += value;
  }
  reader.releaseLock();
  return {
    document: JSON.parse(text) as unknown,
    async [Symbol.asyncDispose]() {
      child.kill("SIGINT");
      const { code } = await child.status;
      equal(code, 0, await errors);
    },
  };
}

async function curl(args: readonly string[], uid?: number) {
  const command = ["curl", "-sS", "--max-time", "10", ...args];
  const [program = "", ...rest] = uid === undefined
    ? command
    : ["setpriv", `--reuid=${uid}`, "--clear-groups", ...command];
  const { code, stdout, stderr } = await new Deno.Command(program, { args: rest }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** Sends bytes, closes its half, and returns what comes back. */
async function exchange(port: number, bytes: Uint8Array): Promise<Uint8Array> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const received: number[] = [];
  const reading = (async () => {
    const buffer = new Uint8Array(65_536);
    for (;;) {
      const count = await conn.read(buffer);
      if (count === null) return;
      received.push(...buffer.subarray(0, count));
    }
  })();
  await writeAll(conn, bytes);
  await conn.closeWrite();
  await reading;
  return Uint8Array.from(received);
}

Deno.test("vnet connect and vnet proxy reach apps without a device", async (t) => {
  await using echo = echoServer();
  await using web = webServer();
  await using cluster = await TestCluster.start([
    app("echo", echo.port),
    app("web", web.port),
    app("secret", echo.port, { labels: { env: "prod" } }),
    app("two", echo.port, { ports: `[{ port: ${echo.port} }, { port: ${web.port} }]` }),
  ]);
  const home = await Deno.makeTempDir({ dir: cluster.dataDir });
  await t.step("without a login it says so", async () => {
    const { code, stderr } = await vnet(home, ["connect", "echo", "--stdio"]).output();
    equal(code, 4);
    match(new TextDecoder().decode(stderr), /\[login-needed\]/);
  });
  await new ProfileStore(`${home}/config`).save((await cluster.login()).profile);

  await t.step("--stdio carries both ways, each half closed on its own", async () => {
    const child = vnet(home, ["connect", "echo", "--stdio"], "piped").spawn();
    const sent = new TextEncoder().encode("hello ".repeat(50_000));
    const writer = child.stdin.getWriter();
    const writing = writer.write(sent).then(() => writer.close());
    const { code, stdout, stderr } = await child.output();
    await writing;
    deepEqual([code, new TextDecoder().decode(stderr)], [0, ""]);
    deepEqual(stdout, sent);
  });

  await t.step("what cannot work has a status, a code and a hint", async () => {
    const rows: [args: string[], code: number, text: RegExp][] = [
      [["nothing"], 1, /\[app-unknown\]\nhint: Run `vnet apps ls`/],
      [["secret"], 1, /\[app-unknown\]/], // roles do not allow it: it is not published either
      [["two"], 2, /several ports.*\[port-needed\]\nhint: Name one, as in two:\d+/],
      [["two:1"], 1, /\[port-not-allowed\]/],
      [["two:x"], 2, /neither APP nor APP:PORT/],
      [["echo", "--listen", "0.0.0.0:0"], 2, /only this machine may connect/],
      [["echo", "--listen", `127.0.0.1:${echo.port}`], 2, /\[address-in-use\]/],
      [["echo", "--stdio", "--listen", "127.0.0.1:0"], 2, /exclude each other/],
    ];
    for (const [args, status, text] of rows) {
      const { code, stdout, stderr } = await vnet(home, ["connect", ...args]).output();
      equal(code, status, args.join(" "));
      equal(stdout.length, 0);
      match(new TextDecoder().decode(stderr), text);
    }
  });

  await t.step("a port of this machine leads to the app, for many at once", async () => {
    await using running = await started(home, ["connect", "two:" + echo.port]);
    const { listen, ...rest } = ConnectV1Schema.parse(running.document);
    deepEqual(
      [rest.app, rest.cluster, rest.port, listen.address],
      ["two", "test.example", echo.port, "127.0.0.1"],
    );
    const sent = crypto.getRandomValues(new Uint8Array(65_536));
    const all = await Promise.all(Array.from({ length: 8 }, () => exchange(listen.port, sent)));
    for (const received of all) deepEqual(received, sent);
  });

  await t.step("other users of the machine do not get in, nor do web pages", async () => {
    await using running = await started(home, ["connect", "web"]);
    const { port } = ConnectV1Schema.parse(running.document).listen;
    const url = `http://127.0.0.1:${port}/`;
    equal((await curl([url])).stdout, "hello from web\n");
    if (Deno.uid() === 0) equal((await curl([url], NOBODY)).code, 52); // an empty reply
    const asked = web.connections;
    match((await curl(["-H", "Host: evil.example", url])).stdout, /421 Misdirected Request/);
    equal((await curl(["-H", "Host: web.proxy.test.example", url])).stdout, "hello from web\n");
    ok(web.connections <= asked + 2);
  });

  await t.step("the proxy leads to all apps by name, and to nothing else", async () => {
    // The login is by an address, so the zone of its apps is not the login's own.
    const allowed = await vnet(home, ["zones", "allow", "proxy.test.example"]).output();
    equal(allowed.code, 0, new TextDecoder().decode(allowed.stderr));
    await using running = await started(home, ["proxy", "--listen", "127.0.0.1:0"]);
    const { port } = ProxyV1Schema.parse(running.document).listen;
    const url = "http://web.proxy.test.example/";
    for (const proxy of [["-x", `socks5h://127.0.0.1:${port}`], ["-px", `127.0.0.1:${port}`]]) {
      equal((await curl([...proxy, url])).stdout, "hello from web\n", proxy.join(" "));
      equal((await curl([...proxy, "http://web/"])).stdout, "hello from web\n");
      ok([56, 97].includes((await curl([...proxy, "http://example.com/"])).code));
      ok([56, 97].includes((await curl([...proxy, "http://127.0.0.1/"])).code));
    }
    match((await curl(["-x", `127.0.0.1:${port}`, url])).stdout, /takes CONNECT and SOCKS5 only/);
  });
});

Deno.test("vnet connect asks for the second factor at its terminal, once for many connections", async () => {
  await using echo = echoServer();
  await using cluster = await TestCluster.start([app("echo", echo.port)], {
    secondFactor: "optional",
  });
  const { admin } = cluster.server.auth;
  const home = await Deno.makeTempDir({ dir: cluster.dataDir });
  const reset = await admin.resetUser({ name: "alice", password: PASSWORD, second_factor: true });
  const totp = URI.parse(reset.totp_uri ?? "") as TOTP;
  const code = () => totp.generate({ timestamp: cluster.clock.nowMs });
  await new ProfileStore(`${home}/config`).save((await cluster.login("alice", code())).profile);
  cluster.clock.nowMs += 30_000; // a code is good once
  await admin.putResource({
    kind: "role",
    version: "v1",
    metadata: { name: "dev" },
    spec: {
      allow: { app_labels: { env: "dev" } },
      deny: {},
      options: { require_session_mfa: true },
    },
  }, { replace: true });

  // Without a terminal nobody can be asked, and nothing waits for it.
  const unasked = await vnet(home, ["connect", "echo", "--stdio"]).output();
  equal(unasked.code, 1);
  match(new TextDecoder().decode(unasked.stderr), /requires a second factor.*\[mfa-required\]/);

  const command = [Deno.execPath(), "run", "-A", "--no-check", MAIN, "--home", home, "connect"];
  const terminal = new Deno.Command("script", {
    // A shell in between would end by the Ctrl-C itself.
    args: ["-qec", ["exec", ...command, "echo"].join(" "), "/dev/null"],
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const keyboard = terminal.stdin.getWriter();
  const type = (text: string) => keyboard.write(new TextEncoder().encode(text));
  let shown = "";
  const screen = terminal.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const sees = async (what: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const found = what.exec(shown);
      if (found !== null) return found;
      const { value, done } = await screen.read();
      if (done) throw new Error(`The screen shows no ${what}: ${shown}`);
      shown += value;
    }
  };
  const [, port = ""] = await sees(/127\.0\.0\.1:(\d+) until/);
  const hello = new TextEncoder().encode("hello");
  const both = Promise.all([1, 2].map(() => exchange(Number(port), hello)));
  await sees(/Code of your authenticator for "echo"/);
  await type("12 34\n");
  await sees(/6 to 8 digits/);
  await type(`${code()}\n`);
  await sees(/echo: approved/);
  for (const received of await both) deepEqual(received, hello);
  deepEqual(await exchange(Number(port), hello), hello); // the right lasts
  equal(shown.split("Code of your authenticator").length, 2);
  await type("\x03");
  while (!(await screen.read()).done);
  await keyboard.close().catch(() => {});
  equal((await terminal.status).code, 0);
});
