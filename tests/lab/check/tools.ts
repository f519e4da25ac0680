/**
 * The lab's own TCP client, run on a host.
 *
 * @module
 */
import type { Host } from "../host/host.ts";
import { here } from "../host/paths.ts";
import type { LabProcess } from "../host/process.ts";

const CLIENT = ["deno", "run", "-A", here("tools/client.ts")];

/** How an attempt to connect ended, as the connecting program saw it. */
export interface Attempt {
  /** "connected", "refused", "unreachable", "timeout" or the error's text. */
  readonly result: string;
  readonly elapsed_ms: number;
}

/** Connects from a host, and closes. */
export async function connect(
  host: Host,
  to: string,
  port: number,
  timeoutMs = 5_000,
): Promise<Attempt> {
  const command = [...CLIENT, "connect", to, `${port}`, `${timeoutMs}`];
  return JSON.parse(await host.output(command)) as Attempt;
}

/** Connects from a host to many addresses at once. */
export async function connectAll(
  host: Host,
  targets: readonly (readonly [address: string, port: number])[],
  timeoutMs: number,
): Promise<Attempt[]> {
  const list = targets.map(([address, port]) => `${address},${port}`);
  return JSON.parse(
    await host.output([...CLIENT, "connects", `${timeoutMs}`, ...list]),
  ) as Attempt[];
}

/** Sends bytes, shuts the sending side and compares the server's digest of them. */
export async function sendThenRead(
  host: Host,
  to: string,
  port: number,
  sizeBytes: number,
): Promise<void> {
  await host.run([...CLIENT, "digest", to, `${port}`, `${sizeBytes}`]);
}

/** Reads what a server sends until it shuts its side, compares it, and then sends the same back. */
export async function readThenSend(
  host: Host,
  to: string,
  port: number,
  sizeBytes: number,
): Promise<void> {
  await host.run([...CLIENT, "listen-first", to, `${port}`, `${sizeBytes}`]);
}

/** Opens a connection and keeps it, silent or busy; resolves when it is open. */
export async function hold(
  host: Host,
  to: string,
  port: number,
  kind: "idle" | "active",
): Promise<LabProcess> {
  const held = host.spawn([...CLIENT, "hold", to, `${port}`, kind]);
  await held.line(/^open$/, 10_000);
  return held;
}
