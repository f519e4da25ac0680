/**
 * Asking polkit whether a process may do something.
 *
 * @module
 * @see org.freedesktop.PolicyKit1.Authority, polkit(8)
 */
import { Dbus } from "./dbus/dbus.ts";
import { DbusError } from "./dbus/error.ts";
import { SYSTEM_PATHS } from "./dns/find/paths.ts";
import type { PeerCredentials } from "../root_machine.ts";

const AUTHORITY = {
  destination: "org.freedesktop.PolicyKit1",
  path: "/org/freedesktop/PolicyKit1/Authority",
  interface: "org.freedesktop.PolicyKit1.Authority",
} as const;

/** Let whoever sits there be asked for a password. */
const ALLOW_USER_INTERACTION = 1;

/**
 * Asks about the process on the other end of a socket. Its uid is the kernel's word: polkit holds it against the
 * process of that id, so that nobody else's who has the id by now is meant.
 *
 * @returns Whether it may; `null` when there is no polkit, or no answer in time.
 */
export async function isAuthorized(
  peer: PeerCredentials,
  action: string,
  { timeoutMs, socket = SYSTEM_PATHS.busSocket }: {
    readonly timeoutMs: number;
    readonly socket?: string;
  },
): Promise<boolean | null> {
  try {
    await using bus = await Dbus.connect({ socket });
    // Start time 0 has polkit look it up: the helper's sandbox hides other users' processes from it.
    const subject = new Map([
      ["pid", { signature: "u", value: peer.pid }],
      ["start-time", { signature: "t", value: 0n }],
      ["uid", { signature: "i", value: peer.uid }],
    ]);
    const [result] = await bus.call({
      ...AUTHORITY,
      member: "CheckAuthorization",
      signature: "(sa{sv})sa{ss}us",
      body: [["unix-process", subject], action, new Map(), ALLOW_USER_INTERACTION, ""],
      timeoutMs,
    });
    return Array.isArray(result) && result[0] === true;
  } catch (thrown) {
    if (thrown instanceof DbusError && !thrown.isAbsent) return false; // It knows no such action.
    if (thrown instanceof Error) return null;
    throw thrown;
  }
}
