/**
 * The product, as a person on a host would use it: through its command line and nothing else. The command is
 * `deno run -A main.ts`, or the program that VNET_BIN names.
 *
 * @module
 */
import type { Host, RunOptions } from "../host/host.ts";
import type { LabProcess, Outcome } from "../host/process.ts";
import { here } from "../host/paths.ts";

/** The command line that starts vnet, before its arguments. */
export function vnetCommand(): readonly string[] {
  const binary = Deno.env.get("VNET_BIN");
  if (binary !== undefined) return [binary];
  return ["deno", "run", "-A", here("../../main.ts")];
}

/** vnet on one host, for one user. */
export class Vnet {
  readonly host: Host;
  readonly #options: Pick<RunOptions, "user" | "env">;
  readonly #command: readonly string[];

  constructor(
    host: Host,
    options: Pick<RunOptions, "user" | "env"> & { readonly command?: readonly string[] } = {},
  ) {
    const { command, ...rest } = options;
    this.host = host;
    this.#options = rest;
    this.#command = command ?? vnetCommand();
  }

  /** Runs `vnet` with these arguments to its end. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return await this.host.run([...this.#command, ...args], {
      timeoutMs: 30_000,
      ...this.#options,
      ...options,
      env: { ...this.#options.env, ...options.env },
    });
  }

  /** Runs `vnet … --format json` and parses what it says. */
  async json<T>(args: readonly string[], options: RunOptions = {}): Promise<T> {
    const { stdout } = await this.run([...args, "--format", "json"], options);
    return JSON.parse(stdout) as T;
  }

  /** Starts `vnet` as a service: a server or an agent. */
  start(args: readonly string[], log: string): LabProcess {
    return this.host.spawn([...this.#command, ...args], { ...this.#options, log });
  }
}

/** What `vnet status --format json` says, as far as the stories look. */
export interface Status {
  readonly state: string;
  readonly pid: number;
  readonly uid: number;
  readonly link?: {
    readonly name: string;
    readonly ipv4: string;
    readonly ipv6?: string;
    readonly ranges: readonly string[];
  };
  readonly dns?: {
    readonly backend: string;
    readonly server: string;
    readonly listeners?: readonly string[];
  };
  readonly connections: {
    readonly recent_failures: readonly { readonly code: string; readonly name: string }[];
  };
}
