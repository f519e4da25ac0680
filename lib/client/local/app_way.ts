/**
 * Ways to an app that need no device: by the running daemon, or by this process itself.
 *
 * @module
 */
import type { PortRange } from "../../config/mod.ts";
import type { AppWish } from "../../plan/mod.ts";
import type { Flow } from "../cluster/driver.ts";

/** What is known of an app before anything is opened. */
export interface AppFacts {
  /** Its name in its cluster. */
  readonly app: string;
  readonly cluster: string;
  /** The ports one may connect to, or `null` for any. */
  readonly ports: readonly PortRange[] | null;
  /** What plain HTTP requests may call their host; `null` for anything. */
  readonly httpHosts: readonly string[] | null;
}

/** An open connection to an app. */
export interface OpenedApp extends AppFacts {
  readonly port: number;
  readonly flow: Flow;
}

/** Finds apps, and opens connections to them. */
export interface AppWay extends AsyncDisposable {
  /** @throws VnetError `app-unknown`, `app-ambiguous`; what keeps this way from asking */
  find(wish: AppWish, signal: AbortSignal): Promise<AppFacts>;
  /**
   * @param port `null` for the only one there is.
   * @throws VnetError as `find`, `port-needed`, `port-not-allowed`, and what the cluster and the way to it say
   */
  open(wish: AppWish, port: number | null, signal: AbortSignal): Promise<OpenedApp>;
}
