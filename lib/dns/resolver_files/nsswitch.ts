/**
 * The `hosts` line of `/etc/nsswitch.conf`: whom glibc asks for a host name, in which order.
 *
 * @module
 * @see man 5 nsswitch.conf
 */

/** One source, with what happens after it. */
export interface HostsSource {
  /** `files`, `dns`, `resolve`, `mdns4_minimal`, … */
  readonly service: string;
  readonly actions: readonly HostsAction[];
}

/** `[NOTFOUND=return]`, or with `negated` `[!UNAVAIL=return]`. */
export interface HostsAction {
  readonly negated: boolean;
  /** `success`, `notfound`, `unavail` or `tryagain`, lower case. */
  readonly status: string;
  /** `return`, `continue` or `merge`, lower case. */
  readonly action: string;
}

/**
 * Reads the `hosts` line.
 *
 * @returns The sources in order, or `null` if the file has no such line; musl has no such file.
 */
export function parseNsswitchHosts(text: string): HostsSource[] | null {
  for (const line of text.split(/\r?\n/)) {
    const rest = /^\s*hosts\s*:([^#]*)/.exec(line)?.[1];
    if (rest !== undefined) return readSources(rest);
  }
  return null;
}

/** Tells whether glibc asks systemd-resolved by NSS before it asks DNS itself. */
export function resolveComesBeforeDns(sources: readonly HostsSource[]): boolean {
  const resolve = sources.findIndex((source) => source.service === "resolve");
  const dns = sources.findIndex((source) => source.service === "dns");
  return resolve >= 0 && (dns < 0 || resolve < dns);
}

function readSources(rest: string): HostsSource[] {
  const sources: { service: string; actions: HostsAction[] }[] = [];
  for (const [word, inside] of rest.matchAll(/\[([^\]]*)\]?|[^\s[]+/g)) {
    if (inside === undefined) {
      sources.push({ service: word, actions: [] });
      continue;
    }
    for (const [, bang = "", status = "", action = ""] of inside.matchAll(/(!?)(\w+)=(\w+)/g)) {
      sources.at(-1)?.actions.push({
        negated: bang === "!",
        status: status.toLowerCase(),
        action: action.toLowerCase(),
      });
    }
  }
  return sources;
}
