/**
 * Ordinary users of a host, each with a home, a folder of logind's, and vnet as themselves and by sudo.
 *
 * @module
 */
import type { Host } from "../host/host.ts";
import { Vnet } from "./vnet.ts";

export interface Person {
  readonly name: string;
  /** Their runtime directory; the control socket is below it. */
  readonly runtimeDir: string;
  /** As themselves, and as root by sudo. */
  readonly vnet: Vnet;
  readonly sudo: Vnet;
}

/**
 * Adds a user to a host.
 *
 * @param command What starts vnet: the users cannot read what root can, so it is the packed build.
 */
export async function addPerson(
  host: Host,
  name: string,
  uid: number,
  command: readonly string[],
): Promise<Person> {
  const runtimeDir = `/run/user/${uid}`;
  await host.script(`
    useradd --create-home --home-dir /home/${name} --uid ${uid} --shell /bin/sh ${name}
    install -d -o ${name} -g ${name} -m 700 ${runtimeDir}
  `);
  const own = { HOME: `/home/${name}`, USER: name, XDG_RUNTIME_DIR: runtimeDir };
  // What sudo leaves of the invoker.
  const env = { SUDO_UID: `${uid}`, SUDO_GID: `${uid}`, SUDO_USER: name, USER: "root" };
  return {
    name,
    runtimeDir,
    vnet: new Vnet(host, { command, user: name, env: own }),
    sudo: new Vnet(host, { command, env }),
  };
}

/** Connects to each `address/port` as a user. @returns Those that let it, a line each. */
export async function openTargets(
  client: Host,
  user: string,
  targets: readonly string[],
): Promise<string> {
  const script = `for target; do
      timeout 3 bash -c 'exec 3<>"/dev/tcp/$0"' "$target" 2>/dev/null && echo "$target"
    done; true`;
  return await client.output(["bash", "-c", script, "bash", ...targets], {
    user,
    timeoutMs: 60_000,
  });
}
