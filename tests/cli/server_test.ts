import { equal, match } from "node:assert/strict";
import { app, never, TestCluster } from "../e2e/cluster.ts";
import { TextLineStream } from "./lines.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** `vnet server` or `vnet agent` with a file, until it is disposed of. */
class Service implements AsyncDisposable {
  readonly process: Deno.ChildProcess;
  readonly lines: TextLineStream;

  constructor(kind: "server" | "agent", file: string) {
    this.process = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", `${ROOT}main.ts`, kind, "start", "--config", file],
      env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.lines = new TextLineStream(this.process.stderr);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.process.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.process.status;
    await this.lines.close();
  }
}

Deno.test("vnet server start reads its file again at SIGHUP, and says what waits for a restart", async () => {
  const directory = await Deno.makeTempDir({ prefix: "vnet-server-" });
  const file = `${directory}/server.yaml`;
  const text = `version: v1
cluster_name: test.example
data_dir: ${directory}/data
log: { level: warning, format: text }
proxy_service: { public_addr: proxy.test.example, listen_addr: "127.0.0.1:0" }
`;
  await Deno.writeTextFile(file, text);
  try {
    await using service = new Service("server", file);
    const { lines, process: server } = service;
    await lines.until(/^Serving cluster test\.example/);

    await Deno.writeTextFile(file, text.replace("warning", "info").replace(":0", ":1"));
    server.kill("SIGHUP");
    await lines.until(/Read the file again .*log_level=info/);
    const waiting = await lines.until(/take effect after a restart/);
    match(waiting, /keys=proxy_service$/);

    await Deno.writeTextFile(file, "version: v2\n");
    server.kill("SIGHUP");
    match(await lines.until(/Cannot take over the file/), /what was read before stays in force/);

    server.kill("SIGTERM");
    equal((await server.status).code, 0);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("vnet agent start serves the apps of its file again at SIGHUP", async () => {
  await using cluster = await TestCluster.start([]);
  await using joined = await cluster.joinAgent("edge", [app("one", 1)]);
  await joined[Symbol.asyncDispose](); // what it has joined with stays
  const { dataDir } = joined.config;
  const file = `${dataDir}/agent.yaml`;
  const text = (apps: string, level: string) =>
    `version: v1
name: edge
data_dir: ${dataDir}
log: { level: ${level}, format: text }
proxy_server: 127.0.0.1:${cluster.address.port}
ca_pin: ${cluster.server.caPin}
app_service: { apps: [${apps}] }
`;
  await Deno.writeTextFile(file, text(app("one", 1), "warning"));
  const { auth } = cluster.server;
  const names = () => auth.agents.apps().map(({ app }) => app.name).join();
  const serves = async (want: string) => {
    while (names() !== want) await auth.changed(auth.revision(), never());
  };
  await using agent = new Service("agent", file);
  await agent.lines.until(/^Serving 1 apps as edge/);
  await serves("one");

  await Deno.writeTextFile(file, text(`${app("one", 1)}, ${app("two", 2)}`, "info"));
  agent.process.kill("SIGHUP");
  await agent.lines.until(/Read the file again .*log_level=info/);
  await serves("one,two");

  await Deno.writeTextFile(file, text("{ name: BAD }", "info"));
  agent.process.kill("SIGHUP");
  match(await agent.lines.until(/Cannot take over the file/), /what was read before stays/);
  equal(names(), "one,two");

  await Deno.writeTextFile(file, text(app("two", 2), "info").replace("name: edge", "name: rim"));
  agent.process.kill("SIGHUP");
  match(await agent.lines.until(/take effect after a restart/), /keys=name$/);
  await serves("two");

  agent.process.kill("SIGTERM");
  equal((await agent.process.status).code, 0);
});
