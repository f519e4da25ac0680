import { equal, match } from "node:assert/strict";
import { TextLineStream } from "./lines.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

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
  const server = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", `${ROOT}main.ts`, "server", "start", "--config", file],
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const lines = new TextLineStream(server.stderr);
  try {
    await lines.until(/^Serving cluster test\.example/);

    await Deno.writeTextFile(file, text.replace("warning", "info").replace(":0", ":1"));
    server.kill("SIGHUP");
    await lines.until(/Read the file again .*log_level=info/);
    const waiting = await lines.until(/take effect after a restart/);
    match(waiting, /keys=proxy_service$/);

    await Deno.writeTextFile(file, "version: v2\n");
    server.kill("SIGHUP");
    match(await lines.until(/Cannot read the file again/), /what was read before stays in force/);

    server.kill("SIGTERM");
    equal((await server.status).code, 0);
  } finally {
    try {
      server.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await server.status;
    await lines.close();
    await Deno.remove(directory, { recursive: true });
  }
});
