/**
 * Who may be the client of a helper that anybody of a group can connect to. The kernel says who it is; what the
 * client says of itself is not asked.
 *
 * @module
 */
import { VnetError } from "../error.ts";
import type { PeerCredentials, PeerSocket } from "../os/mod.ts";

export interface Admission {
  /** Where there is a lock for each user with a client. */
  readonly lockDir: string;
  /** Decides about a user whom the socket's own mode let through; `null` lets all of them in. */
  readonly authorize: ((peer: PeerCredentials) => Promise<VnetError | null>) | null;
}

/** The outcome; as long as it is held, the same user has no other client. */
class Admitted implements Disposable {
  readonly peer: PeerCredentials;
  /** Why the client must go, or `null`. */
  readonly refusal: VnetError | null;
  readonly #lock: Deno.FsFile | null;

  constructor(peer: PeerCredentials, refusal: VnetError | null, lock: Deno.FsFile | null = null) {
    this.peer = peer;
    this.refusal = refusal;
    this.#lock = lock;
  }

  [Symbol.dispose](): void {
    this.#lock?.close();
  }
}

/** Finds out who connected, and whether they may stay. */
export async function admit(
  client: Pick<PeerSocket, "peer">,
  admission: Admission,
): Promise<Admitted> {
  const peer = client.peer();
  const denied = await admission.authorize?.(peer) ?? null;
  if (denied !== null) return new Admitted(peer, denied);
  const lock = await Deno.open(`${admission.lockDir}/client-${peer.uid}.lock`, {
    read: true,
    write: true,
    create: true,
    mode: 0o600,
  });
  if (await lock.tryLock(true)) return new Admitted(peer, null, lock);
  lock.close();
  return new Admitted(
    peer,
    new VnetError("already-up", `Cannot start: user ${peer.uid} has a vnet daemon already`, {
      hint: "See `vnet status`; `vnet restart` starts anew",
    }),
  );
}
