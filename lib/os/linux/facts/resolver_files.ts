/**
 * The files that programs read before they resolve a name.
 *
 * @module
 * @see resolv.conf(5), nsswitch.conf(5)
 */
import {
  type HostsSource,
  parseNsswitchHosts,
  parseResolvConf,
  RESOLV_CONF_MAGIC,
} from "../../../dns/mod.ts";
import type { ResolvConfFacts } from "../../../health/mod.ts";
import { SYSTEM_PATHS } from "../dns/mod.ts";

/** Looks at resolv.conf. */
export async function readResolvConf(path = SYSTEM_PATHS.resolvConf): Promise<ResolvConfFacts> {
  const stat = await Deno.lstat(path).catch(ignoreMissing);
  const text = await Deno.readTextFile(path).catch(ignoreMissing) ?? "";
  const { owner, nameservers } = parseResolvConf(text);
  return {
    path,
    kind: stat === null ? "missing" : kindOf(stat),
    isOurs: text.startsWith(RESOLV_CONF_MAGIC),
    owner,
    nameservers,
    modifiedMs: stat?.mtime?.getTime() ?? null,
  };
}

/** Reads the `hosts` line of nsswitch.conf; `null` where there is none, as on musl. */
export async function readNssHosts(
  path = SYSTEM_PATHS.nsswitch,
): Promise<readonly HostsSource[] | null> {
  const text = await Deno.readTextFile(path).catch(ignoreMissing);
  return text === null ? null : parseNsswitchHosts(text);
}

function kindOf({ isSymlink, isFile }: Deno.FileInfo): ResolvConfFacts["kind"] {
  if (isSymlink) return "symlink";
  return isFile ? "file" : "other";
}

function ignoreMissing(thrown: unknown): null {
  if (thrown instanceof Deno.errors.NotFound) return null;
  throw thrown;
}
