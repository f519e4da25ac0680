/**
 * The one client that systemd accepted for this process, and what root lets it have.
 *
 * @module
 * @see sd_listen_fds(3)
 */
import { DEFAULT_HELPER_POLICY, type HelperPolicy, parseHelperPolicy } from "../../config/mod.ts";
import { describeError, OsError, UsageError, VnetError } from "../../error.ts";
import type { Admission } from "../../helper/mod.ts";

export const POLICY_FILE = "/etc/vnet/helper.yaml";

const FIRST_DESCRIPTOR = 3;

/**
 * Finds the accepted connection and the policy. A policy that cannot be used turns every client away, with the
 * reason.
 *
 * @throws UsageError when systemd passed no connection.
 */
export async function acceptedClient(
  env: (name: string) => string | undefined,
  lockDir: string,
): Promise<{ descriptor: number; admission: Admission; policy: HelperPolicy }> {
  if (env("LISTEN_FDS") !== "1" || env("LISTEN_PID") !== String(Deno.pid)) {
    throw new UsageError("usage", "Cannot serve a client: systemd passed no connection", {
      hint: "This is started by vnet-helper.socket; run `sudo vnet service install`",
    });
  }
  const [policy, refusal] = await readPolicy().then(
    (policy) => [policy, null] as const,
    (thrown) => [DEFAULT_HELPER_POLICY, asRefusal(thrown)] as const,
  );
  const admission: Admission = {
    lockDir,
    authorize: refusal === null ? null : () => Promise.resolve(refusal),
  };
  return { descriptor: FIRST_DESCRIPTOR, admission, policy };
}

/** Reads what root wrote; nothing written is the default. @throws ConfigError, OsError `file-unreadable` */
async function readPolicy(): Promise<HelperPolicy> {
  const found = await Deno.stat(POLICY_FILE).catch((thrown) => {
    if (thrown instanceof Deno.errors.NotFound) return null;
    throw thrown;
  });
  if (found === null) return DEFAULT_HELPER_POLICY;
  if (found.uid !== 0 || ((found.mode ?? 0) & 0o022) !== 0) {
    throw new OsError("file-unreadable", `Cannot trust "${POLICY_FILE}": others may write it`, {
      call: "stat",
      errno: "EPERM",
      hint: `Run \`sudo chown root ${POLICY_FILE}\` and \`sudo chmod go-w ${POLICY_FILE}\``,
    });
  }
  return parseHelperPolicy(await Deno.readTextFile(POLICY_FILE), POLICY_FILE);
}

function asRefusal(thrown: unknown): VnetError {
  if (thrown instanceof VnetError) return thrown;
  return new VnetError(
    "file-unreadable",
    `Cannot read "${POLICY_FILE}": ${describeError(thrown)}`,
    { cause: thrown },
  );
}
