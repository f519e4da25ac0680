import { equal, ok } from "node:assert/strict";
import { dialTcp } from "./tcp.ts";

/** The timer that the kernel runs for a connection from this port: its kind and when it fires, in seconds. */
async function timerOf(localPort: number): Promise<{ kind: string; seconds: number }> {
  const port = localPort.toString(16).toUpperCase().padStart(4, "0");
  const table = await Deno.readTextFile("/proc/self/net/tcp");
  for (const line of table.split("\n")) {
    const [, local = "", , , , timer = ""] = line.trim().split(/\s+/);
    const [kind = "", jiffies = ""] = timer.split(":");
    if (local.endsWith(`:${port}`)) return { kind, seconds: parseInt(jiffies, 16) / 100 };
  }
  throw new Error(`No connection from port ${localPort}`);
}

const KEEPALIVE = "02"; // tm->when of proc_net_tcp

Deno.test("dialTcp() finds out within minutes that the other end is gone without a word", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = { host: "127.0.0.1", port: listener.addr.port };
  const socket = await dialTcp(address, new AbortController().signal);
  using _conn = await listener.accept();
  const { kind, seconds } = await timerOf(socket.localPort ?? 0);
  equal(kind, KEEPALIVE);
  ok(seconds > 0 && seconds <= 60);
  await new Promise<void>((resolve) => socket.once("close", () => resolve()).destroy());
});
