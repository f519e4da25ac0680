import type { UpSettings } from "../../config/mod.ts";
import type { DnsMode, DomainName } from "../../dns/mod.ts";
import type { LocalPolicy } from "../../identity/mod.ts";
import type { Prefix } from "../../ip/mod.ts";
import type { Machine } from "../../os/mod.ts";
import type { TxtOutcome } from "../../plan/mod.ts";
import type { ClusterDriver } from "../cluster/driver.ts";
import type { AppDialer } from "../dial.ts";
import type { OnRefused } from "../flows/flow_log.ts";
import type { Paths } from "../paths.ts";
import type { HelperEnd } from "../setup/helper_link.ts";
import type { AdminFile } from "../zones/files.ts";

/** What a daemon is started with. */
export interface DaemonOptions {
  readonly paths: Paths;
  readonly policy: LocalPolicy;
  readonly helper: HelperEnd;
  /** Whether to wait for a login where there is none, as at boot. */
  readonly waitForLogin: boolean;
  /** `null` for the first name that is free. */
  readonly link: string | null;
  /** Replaces the clusters' ranges. */
  readonly range: Prefix | null;
  readonly dnsMode: DnsMode;
  /** What of it somebody chose, for `vnet restart` to choose again. */
  readonly settings: UpSettings;
  readonly signal: AbortSignal;
  readonly nowMs: () => number;
  /** For one command only: nothing is kept on the disk, and no other program is served. */
  readonly transient?: boolean;
  /** Whether somebody may be asked for a second factor; true if not given. */
  readonly asks?: boolean;
  /** Told of every connection that is refused. */
  readonly onRefused?: OnRefused;
  /** Opens connections another way than by its own sessions alone. */
  readonly dialerOver?: (own: AppDialer) => Pick<AppDialer, "dial">;
  /** How often the clocks are looked at, if not every two seconds. */
  readonly clockMs?: number;
  /** The kinds of cluster it can use; this program's if not given. */
  readonly drivers?: readonly ClusterDriver[];
  /** This one if not given. */
  readonly machine?: Machine;
  /** Reads what the administrator of the machine says of zones; the usual file if not given. */
  readonly readAdmin?: () => Promise<AdminFile>;
  /** Asks for the TXT records of a zone before vnet has a say in names; the machine's resolver if not given. */
  readonly askTxt?: (zone: DomainName, signal: AbortSignal) => Promise<TxtOutcome>;
}
