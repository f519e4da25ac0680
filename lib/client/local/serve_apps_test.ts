import { deepEqual } from "node:assert/strict";
import { memoryTarget } from "../../../tests/doubles/memory_cluster.ts";
import { parseDomainName } from "../../dns/mod.ts";
import { FlowLog } from "../flows/flow_log.ts";
import { AppOpener } from "./app_opener.ts";
import { AppReplySchema, hearLine, sayLine } from "./app_socket.ts";
import { serveApps } from "./serve_apps.ts";

Deno.test("serveApps() says on the socket what it notes of an app that does not answer", async () => {
  const dir = await Deno.makeTempDir();
  const flowLog = new FlowLog();
  const path = `${dir}/apps.sock`;
  const opener = new AppOpener({
    plan: () => ({ targets: new Map([[parseDomainName("db.memory.test"), memoryTarget()]]) }),
    sources: () => [],
    dialer: {
      dial: (_app, _port, signal) => {
        const { promise, reject } = Promise.withResolvers<never>();
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        return promise;
      },
    },
  });
  try {
    await using _serving = serveApps({
      ...{ path, opener, flowLog, ownerUid: 1000, nowMs: () => 0 },
      openMs: 20,
    });
    using conn = await Deno.connect({ transport: "unix", path });
    await sayLine(conn, { name: "db.memory.test", cluster: null, port: 80, open: true });
    const { line } = await hearLine(conn, AppReplySchema);
    const [{ code, message } = {}] = flowLog.render().recent_failures;
    deepEqual("error" in line && line.error.code, "setup-timeout");
    deepEqual("error" in line && [line.error.code, line.error.message], [code, message]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
