/**
 * systemd as process 1 on a host of the lab; see systemd.sh.
 *
 * @module
 */
import type { Host } from "./host.ts";
import { here } from "./paths.ts";
import { childrenOf, killQuietly, type LabProcess } from "./process.ts";
import { until } from "./wait.ts";

const HIERARCHY = "/run/cgroup-lab";

const FILES = [
  ["/usr/lib/systemd/systemd", "systemd"],
  ["/usr/bin/dbus-daemon", "dbus"],
  ["/usr/lib/polkit-1/polkitd", "polkitd"],
] as const;

/** Says which of Debian's packages a story with systemd lacks; `null` if none. */
export function lackingSystemd(): string | null {
  const lacking: string[] = FILES.filter(([path]) => !isThere(path)).map(([, name]) => name);
  if (!Deno.readTextFileSync("/proc/filesystems").includes("\tcgroup2\n")) lacking.push("cgroup2");
  return lacking.length === 0 ? null : lacking.join(", ");
}

export class Systemd implements AsyncDisposable {
  readonly #outside: Host;
  #inside: Host;
  readonly #log: string;
  readonly #cgroup: string;
  readonly #bus: "own" | "other";
  #process: LabProcess | null = null;

  private constructor(host: Host, log: string, bus: "own" | "other") {
    this.#bus = bus;
    this.#outside = host;
    this.#inside = host;
    this.#log = log;
    this.#cgroup = `${HIERARCHY}/vnet-lab-${Deno.pid}-${host.name}`;
  }

  /** The host as what systemd runs sees it. */
  get host(): Host {
    return this.#inside;
  }

  /**
   * Boots it, on a host that has no unit of an administrator's yet.
   *
   * @param bus Whose system bus there is: systemd's, or one that the host had before.
   */
  static async boot(host: Host, log: string, bus: "own" | "other" = "own"): Promise<Systemd> {
    await host.script("rm -rf /etc/systemd/system && mkdir -p /etc/systemd/system");
    const systemd = new Systemd(host, log, bus);
    await systemd.start();
    return systemd;
  }

  /** Starts it, as the machine would at power on; what is in /run is gone. */
  async start(): Promise<void> {
    const process = this.#outside.spawn(
      ["bash", here("host/systemd.sh"), this.#cgroup, this.#bus],
      {
        log: this.#log,
      },
    );
    this.#process = process;
    const pid = await until("systemd is process 1", 10_000, () => {
      const [pid] = childrenOf(process.pid);
      const isSystemd = pid !== undefined &&
        Deno.readTextFileSync(`/proc/${pid}/cmdline`).startsWith("/lib/systemd/systemd\0");
      return isSystemd ? pid : null;
    });
    this.#inside = this.#outside.seenBy(pid);
    await until("systemd has booted", 20_000, async () => {
      const { stdout } = await this.host.run(["systemctl", "is-system-running"], {
        expect: "any",
        quiet: true,
      });
      return /^(running|degraded)/.test(stdout);
    });
  }

  /** Pulls the plug: everything it runs is killed at once. */
  async crash(): Promise<void> {
    const process = this.#process;
    if (process === null) return;
    this.#process = null;
    killQuietly(process.pid, "SIGKILL"); // unshare; its child goes with it
    await process.status;
    await until("its processes are gone", 5_000, async () => {
      const { code } = await this.#outside.run(
        ["sh", "-c", `find ${this.#cgroup} -depth -type d -exec rmdir {} +`],
        { expect: "any", quiet: true },
      );
      return code === 0;
    });
    await this.#outside.script("rm -rf /run/systemd /run/stage /run/vnet /run/vnet-daemon");
  }

  /** What the journal has of a unit, or of all whose names match; empty where nothing said anything. */
  async journal(unit: string): Promise<string> {
    const command = ["journalctl", "--no-pager", "--output=cat", `--unit=${unit}`];
    const { code, stdout, stderr } = await this.host.run(command, { expect: "any", quiet: true });
    if (code === 0) return stdout.trimEnd();
    if (/No data available/.test(stderr)) return "";
    throw new Error(stderr);
  }

  /** The main process of a unit, as this machine counts; 0 if there is none. */
  async mainPid(unit: string): Promise<number> {
    const text = await this.host.output(["systemctl", "show", "--value", "-p", "MainPID", unit], {
      quiet: true,
    });
    return Number(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.crash();
  }
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
