/**
 * A root of its own on a host: the machine's files below, whatever is written on top, and a list of what differs.
 *
 * @module
 */
import type { Host, RunOptions } from "./host.ts";
import type { Outcome } from "./process.ts";

const PLACE = "/mnt";

export class FreshRoot {
  readonly #host: Host;

  private constructor(host: Host) {
    this.#host = host;
  }

  /** Makes the root. @param base Files that belong to it, as a shell script that is run in it before all else. */
  static async open(host: Host, base: string): Promise<FreshRoot> {
    await host.script(`
      mount -t tmpfs tmpfs ${PLACE}
      mkdir ${PLACE}/machine ${PLACE}/base ${PLACE}/upper ${PLACE}/work ${PLACE}/root
      mount --bind / ${PLACE}/machine
      cd ${PLACE}/base
      ${base}
      cd /
      mount -t overlay overlay -o lowerdir=${PLACE}/base:${PLACE}/machine,upperdir=${PLACE}/upper,workdir=${PLACE}/work ${PLACE}/root
      mount -t proc proc ${PLACE}/root/proc
      mount --rbind /dev ${PLACE}/root/dev
      mount -t tmpfs -o mode=755 tmpfs ${PLACE}/root/run
      mount -t tmpfs -o mode=1777 tmpfs ${PLACE}/root/tmp
    `);
    return new FreshRoot(host);
  }

  /** Runs a command in it, in a clean environment. */
  run(command: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    const env = [
      "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
      "HOME=/root",
      "LC_ALL=C",
      "DEBIAN_FRONTEND=noninteractive",
    ];
    return this.#host.run(["env", "-i", ...env, "chroot", `${PLACE}/root`, ...command], options);
  }

  /** Puts a file of the machine into it. */
  async put(path: string, target: string): Promise<void> {
    await this.#host.run(["install", "-D", path, `${PLACE}/root${target}`]);
  }

  /** @returns Paths that are not as they were: changed, made or gone, /run and /tmp included; sorted. */
  async changes(): Promise<string[]> {
    const found = await this.#host.script(CHANGES, { quiet: true });
    return found.split("\n").filter((path) => path !== "").sort();
  }
}

const CHANGES = `
  cd ${PLACE}/upper
  find . -mindepth 1 ! -type d | cut -c 2- | while read -r path; do
    old=${PLACE}/base$path; [ -e "$old" ] || old=${PLACE}/machine$path
    cmp -s "$old" "${PLACE}/upper$path" || echo "$path"
  done
  find . -mindepth 1 -type d | cut -c 2- | while read -r path; do
    [ -d "${PLACE}/machine$path" ] || [ -d "${PLACE}/base$path" ] || echo "$path"
  done
  cd ${PLACE}/root && find run tmp -mindepth 1 | sed 's,^,/,'
`;
