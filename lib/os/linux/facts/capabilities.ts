/**
 * What this process may do.
 *
 * @module
 * @see proc_pid_status(5), capabilities(7)
 */
import type { Measured } from "../../../health/mod.ts";

const CAP_NET_ADMIN = 12n;
const TUN_DEVICE = "/dev/net/tun";

/** Tells whether this process has CAP_NET_ADMIN. */
export async function netAdmin(): Promise<Measured<boolean>> {
  const value = parseNetAdmin(await Deno.readTextFile("/proc/self/status"));
  return value === null
    ? { kind: "unknown", reason: "this kernel does not tell capabilities" }
    : { kind: "measured", value };
}

/** Looks for CAP_NET_ADMIN among the effective capabilities; `null` where they are not told. */
export function parseNetAdmin(status: string): boolean | null {
  const [, effective] = /^CapEff:\s*([0-9a-f]+)$/m.exec(status) ?? [];
  return effective === undefined ? null : (BigInt(`0x${effective}`) >> CAP_NET_ADMIN & 1n) === 1n;
}

/** Opens the TUN driver and closes it again; makes no device. @returns The errno's name, or `null`. */
export async function tunDevice(path = TUN_DEVICE): Promise<string | null> {
  try {
    (await Deno.open(path, { read: true, write: true })).close();
    return null;
  } catch (thrown) {
    if (!(thrown instanceof Error)) throw thrown;
    const code: unknown = Reflect.get(thrown, "code");
    return typeof code === "string" ? code : thrown.name;
  }
}
