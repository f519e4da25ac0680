/**
 * Kills a process of vnet right before its n-th act that changes something: see tools/kill_at.c.
 *
 * @module
 */
import type { Host } from "../host/host.ts";
import { here } from "../host/paths.ts";

const ROLES = ["nobody", "helper", "daemon", "repair"] as const;
export type Role = Exclude<typeof ROLES[number], "nobody">;

/** Who is to be killed, and when. */
export interface Shot {
  readonly role: Role;
  /** From 1; 0 kills nobody and counts. */
  readonly at: number;
  /** Whether the helper's guard dies first. */
  readonly guardToo?: boolean;
}

const SIZE_BYTES = 64;
const NAME_OFFSET = 20;

/** The switch of one host. */
export class KillSwitch {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Compiles the library and has every program that starts on the host from this moment on load it. */
  static async install(host: Host): Promise<KillSwitch> {
    const library = "/run/kill_at.so";
    await host.run([
      ...["gcc", "-std=gnu11", "-O1", "-shared", "-fPIC", "-o", library],
      ...[here("tools/kill_at.c"), "-ldl"],
    ]);
    const killSwitch = await KillSwitch.at(`/proc/${host.pid}/root/run/kill-switch`);
    await host.script(`echo ${library} >/etc/ld.so.preload`);
    return killSwitch;
  }

  /** Makes the file that the library looks for as /run/kill-switch. */
  static async at(path: string): Promise<KillSwitch> {
    await Deno.writeFile(path, new Uint8Array(SIZE_BYTES));
    return new KillSwitch(path);
  }

  /** Aims at a process; those that run already count from this moment on. */
  async aim(shot: Shot): Promise<void> {
    const guard = shot.guardToo === true ? 1 : 0;
    await this.#write(0, [0, shot.at, 0, 0, guard]);
    await this.#write(0, [ROLES.indexOf(shot.role)]);
  }

  /** Aims at nobody. @returns How many acts there were, and which one did not happen; `null` if all did. */
  async rest(): Promise<{ readonly acts: number; readonly killedBefore: string | null }> {
    await this.#write(0, [0]);
    const bytes = await Deno.readFile(this.#path);
    const view = new DataView(bytes.buffer);
    const name = new TextDecoder().decode(bytes.subarray(NAME_OFFSET)).replace(/\0.*$/s, "");
    return {
      acts: view.getUint32(8, true),
      killedBefore: view.getUint32(12, true) === 1 ? name : null,
    };
  }

  async #write(offset: number, words: readonly number[]): Promise<void> {
    using file = await Deno.open(this.#path, { write: true });
    await file.seek(offset, Deno.SeekMode.Start);
    const bytes = new Uint8Array(words.length * 4);
    const view = new DataView(bytes.buffer);
    for (const [index, word] of words.entries()) view.setUint32(index * 4, word, true);
    await file.write(bytes);
  }
}
