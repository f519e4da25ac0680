/**
 * The command lines of the two processes, as they are started by `up` and by the service's units.
 *
 * @module
 */
import { upArgs, type UpSettings, upSettingsArgs } from "../../config/mod.ts";
import { formatPrefix, type Prefix } from "../../ip/mod.ts";

interface HelperArguments {
  /** The descriptor its client is connected to. */
  readonly client: number;
  readonly journalDir: string;
  /** Whose logs of the background to keep from growing; `null` for nobody's. */
  readonly logsOf: number | null;
  readonly settings: UpSettings;
  /** Where root lets the client's ranges lie beside 100.64.0.0/10. */
  readonly allowed: readonly Prefix[];
}

interface DaemonArguments {
  /** Where its helper is: behind a descriptor, or behind the service's socket. */
  readonly helper: { readonly descriptor: number } | { readonly path: string };
  readonly waitForLogin?: boolean;
  /** The log of the background to keep from growing; `null` for none. */
  readonly keepLog?: string | null;
  readonly settings: UpSettings;
}

/** The arguments of `vnet` for a helper with one client, of whose settings it holds those that need root. */
export function helperArgs(args: HelperArguments): readonly string[] {
  const { client, journalDir, logsOf, settings: { dns, containers }, allowed } = args;
  return [
    "helper",
    ...["--client", `${client}`],
    ...["--journal", journalDir],
    ...(logsOf === null ? [] : ["--logs-of", `${logsOf}`]),
    ...upArgs({ dns, containers }),
    ...allowed.flatMap((range) => ["--range", formatPrefix(range)]),
  ];
}

/** The arguments of `vnet` for a daemon. */
export function daemonArgs(args: DaemonArguments): readonly string[] {
  const { helper, waitForLogin = false, keepLog = null, settings } = args;
  return [
    "daemon",
    ...("path" in helper ? ["--helper-socket", helper.path] : ["--helper", `${helper.descriptor}`]),
    ...(waitForLogin ? ["--wait-for-login"] : []),
    ...(keepLog === null ? [] : ["--keep-log", keepLog]),
    ...upSettingsArgs(settings),
  ];
}
