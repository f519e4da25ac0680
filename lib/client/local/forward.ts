/**
 * A local connection to one app, from the first look at what comes to the last byte.
 *
 * @module
 */
import { AuthError, VnetError } from "../../error.ts";
import type { IpAddress } from "../../ip/mod.ts";
import { getLogger } from "../../log.ts";
import { refusalError, toldError } from "../../refusal/mod.ts";
import { DeadlinePassed, withDeadline } from "../../wait.ts";
import type { AppWish } from "../../plan/mod.ts";
import type { FlowConn, FlowSummary } from "../cluster/driver.ts";
import { GuardedConn } from "../flows/guarded_conn.ts";
import { printable } from "../../printable.ts";
import type { AppWay, OpenedApp } from "./app_way.ts";

const log = getLogger("client", "local");

/** With time for a second factor. */
const OPEN_MS = 75_000;

/** The names that a program may call a port of its own machine by. */
const OWN_NAMES = ["localhost"];

/** Opens a connection. @throws VnetError as {@link AppWay.open}; `setup-timeout` */
export async function openApp(
  way: AppWay,
  wish: AppWish,
  port: number | null,
  signal: AbortSignal,
): Promise<OpenedApp> {
  try {
    return await withDeadline(OPEN_MS, signal, (both) => way.open(wish, port, both));
  } catch (thrown) {
    if (!(thrown instanceof DeadlinePassed)) throw thrown;
    throw refusalError("setup-timeout", `Cannot connect to "${wish.name}"`, { cause: thrown });
  }
}

/**
 * Carries a connection that came to a port of this machine; plain HTTP must be meant for the app, or for this machine.
 *
 * @throws VnetError `host-refused`, or why the cluster cut it
 */
export async function carryGuarded(
  conn: FlowConn,
  opened: OpenedApp,
  listenAddress: IpAddress,
  signal: AbortSignal,
): Promise<void> {
  const { flow, httpHosts, app } = opened;
  const names = httpHosts && new Set([...httpHosts, ...OWN_NAMES]);
  const guarded = names && new GuardedConn(conn, { names, address: listenAddress });
  let told: string | undefined;
  try {
    const summary = await flow.splice(guarded ?? conn, signal);
    noteEnd(opened, summary);
    told = summary.code;
  } catch (thrown) {
    flow.abort();
    if (guarded?.refusal == null) throw thrown;
  }
  const refusal = guarded?.refusal ?? null;
  if (refusal === null && told !== undefined) {
    throw toldError(told, `The connection to "${app}" was cut`);
  }
  if (refusal === null) return;
  const state = refusal.host === null
    ? "it names no host that can be read"
    : `it is for "${printable(refusal.host)}", which is none of the app's names`;
  throw new AuthError("host-refused", `Refused a request to "${app}": ${state}`);
}

/** Says what went through a connection, to whoever runs the command with `--verbose`. */
export function noteEnd({ app, port }: OpenedApp, summary: FlowSummary): void {
  log.info("A connection ended", { ...summary });
  log.debug("Connection ended", { app: printable(app), port });
}

/** What is said of a connection that failed: one line, with its code. */
export function failureLine(thrown: unknown): string {
  return printable(
    thrown instanceof VnetError ? `${thrown.message} [${thrown.code}]` : String(thrown),
  );
}
