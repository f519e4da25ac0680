/**
 * A root with nothing in it but the one-file build, the libraries it is linked with, /dev/net/tun and /proc.
 *
 * @module
 */
import { equal } from "node:assert/strict";
import type { Host, RunOptions } from "./host.ts";
import { buildPacked } from "../world/packed.ts";
import type { Outcome } from "./process.ts";

/** Where it lies on the host, and where vnet lies in it. */
export const PLACE = "/mnt/root";
export const VNET = "/opt/vnet";

export class BareRoot {
  readonly #host: Host;

  private constructor(host: Host) {
    this.#host = host;
  }

  static async open(host: Host): Promise<BareRoot> {
    await host.script(`
      mount -t tmpfs -o mode=755 tmpfs /mnt
      mkdir ${PLACE}
      mount -t tmpfs -o mode=755 tmpfs ${PLACE}
      mkdir -p ${PLACE}/proc ${PLACE}/dev/net ${PLACE}/opt
      mount -t proc proc ${PLACE}/proc
      mknod -m 666 ${PLACE}/dev/net/tun c 10 200
      install -m 755 ${await buildPacked()} ${PLACE}${VNET}
      for library in $(ldd ${PLACE}${VNET} | grep -o '/[^ ]*'); do
        mkdir -p ${PLACE}$(dirname $library) && cp $library ${PLACE}$library
      done
    `);
    return new BareRoot(host);
  }

  /** The command that starts vnet in it without any environment, before its arguments. */
  readonly command: readonly string[] = ["/usr/bin/env", "-i", "/usr/sbin/chroot", PLACE, VNET];

  /** Runs vnet in it. @param under Commands to start it under, such as `prlimit --nofile=256`. */
  vnet(
    args: readonly string[],
    options: RunOptions = {},
    under: readonly string[] = [],
  ): Promise<Outcome> {
    return this.#host.run([...under, ...this.command, ...args], { timeoutMs: 60_000, ...options });
  }

  /** @returns Every file and folder with its size and time, but for /proc. */
  async listing(): Promise<string> {
    return await this.#host.output(
      [
        "find",
        PLACE,
        "-xdev",
        "-mindepth",
        "1",
        "!",
        "-path",
        `${PLACE}/proc`,
        "-printf",
        "%P %M %s %T@\\n",
      ],
      { quiet: true },
    );
  }

  /** Does something and fails if a file or folder is not as it was. Folders' times do not count. */
  async unchangedBy(act: () => Promise<void>): Promise<void> {
    const before = withoutFolderTimes(await this.listing());
    await act();
    equal(withoutFolderTimes(await this.listing()), before);
  }
}

function withoutFolderTimes(listing: string): string {
  const lines = listing.split("\n").map((line) =>
    / d[rwx-]{9} /.test(line) ? line.replace(/ \S+ \S+$/, "") : line
  );
  return lines.sort().join("\n");
}
