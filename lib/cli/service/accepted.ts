/**
 * The one client that systemd accepted for this process, and what root lets it have.
 *
 * @module
 * @see sd_listen_fds(3)
 */
import { DEFAULT_HELPER_POLICY, type HelperPolicy } from "../../config/mod.ts";
import { describeError, OsError, UsageError, VnetError } from "../../error.ts";
import type { Admission } from "../../helper/mod.ts";
import type { PeerCredentials, RootMachine } from "../../os/mod.ts";
import { POLICY_FILE, readHelperPolicy } from "./policy.ts";
import { GROUP, POLKIT_ACTION } from "./units.ts";

const FIRST_DESCRIPTOR = 3;

/** How long somebody may take over a password. */
const POLKIT_MS = 30_000;

/** Who decides about users outside the group. */
type Authority = Pick<RootMachine, "isAuthorized">;

/**
 * Finds the accepted connection and the policy. A policy that cannot be used turns every client away, with the
 * reason.
 *
 * @throws UsageError when systemd passed no connection.
 */
export async function acceptedClient(
  machine: Authority,
  env: (name: string) => string | undefined,
  { lockDir, polkit }: { readonly lockDir: string; readonly polkit: boolean },
): Promise<{ descriptor: number; admission: Admission; policy: HelperPolicy }> {
  if (env("LISTEN_FDS") !== "1" || env("LISTEN_PID") !== String(Deno.pid)) {
    throw new UsageError("usage", "Cannot serve a client: systemd passed no connection", {
      hint: "This is started by vnet-helper.socket; run `sudo vnet service install`",
    });
  }
  const [policy, refusal] = await readHelperPolicy().then(
    (policy) => [policy, null] as const,
    (thrown) => [DEFAULT_HELPER_POLICY, asRefusal(thrown)] as const,
  );
  const refuse = () => Promise.resolve(refusal);
  const ask = (peer: PeerCredentials) => askPolkit(machine, peer);
  const authorize = refusal === null ? (polkit ? ask : null) : refuse;
  const admission: Admission = { lockDir, authorize };
  return { descriptor: FIRST_DESCRIPTOR, admission, policy };
}

/** Lets in root, members of the group, and whom polkit lets in: then the socket is open to everybody. */
async function askPolkit(machine: Authority, peer: PeerCredentials): Promise<VnetError | null> {
  if (peer.uid === 0 || await isMember(peer)) return null;
  if (await machine.isAuthorized(peer, POLKIT_ACTION, POLKIT_MS)) return null;
  return new OsError(
    "helper-denied",
    `Cannot use the helper service: you are not in group ${GROUP}, and polkit does not let you`,
    {
      call: "CheckAuthorization",
      errno: "EACCES",
      hint: `Run \`sudo usermod -aG ${GROUP} $USER\`, or have root write a polkit rule`,
    },
  );
}

/** Whether /etc/group says so; members that only a directory server knows go by polkit. */
async function isMember({ uid, gid }: PeerCredentials): Promise<boolean> {
  const [passwd = "", group = ""] = await Promise.all(
    ["/etc/passwd", "/etc/group"].map((path) => Deno.readTextFile(path)),
  );
  const rows = (text: string) => text.split("\n").map((line) => line.split(":"));
  const names = rows(passwd).filter(([, , id]) => id === String(uid)).map(([name]) => name);
  return rows(group).some(([name, , id, members = ""]) =>
    name === GROUP &&
    (id === String(gid) || members.split(",").some((member) => names.includes(member)))
  );
}

function asRefusal(thrown: unknown): VnetError {
  if (thrown instanceof VnetError) return thrown;
  return new VnetError(
    "file-unreadable",
    `Cannot read "${POLICY_FILE}": ${describeError(thrown)}`,
    { cause: thrown },
  );
}
