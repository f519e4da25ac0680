/**
 * Every place of the host the DNS back ends look at or touch, in one record, so that a test can put a whole
 * host into a directory of its own.
 *
 * @module
 */

/** Absolute paths. A relative symlink at `resolvConf` is followed from that file's own directory. */
export interface Paths {
  readonly resolvConf: string;
  readonly nsswitch: string;
  readonly mountinfo: string;
  readonly busSocket: string;
  /** Where the dynamic loaders lie: what tells glibc from musl. */
  readonly libraries: readonly string[];
  /** The host's own shell: where both loaders lie, the one it asks for is the host's. */
  readonly shell: string;
  /** Where the program `resolvconf` is looked for, in this order. */
  readonly programs: readonly string[];
  /** The directory of interface records that both resolvconf programs keep. */
  readonly resolvconfRun: string;
  /** NetworkManager's drop-in directory for the dnsmasq it runs. */
  readonly nmDnsmasqDir: string;
  /** The resolvers systemd-resolved uses, as a file, for when the bus does not tell. */
  readonly resolvedUplinks: string;
}

export const SYSTEM_PATHS: Paths = {
  resolvConf: "/etc/resolv.conf",
  nsswitch: "/etc/nsswitch.conf",
  mountinfo: "/proc/self/mountinfo",
  busSocket: "/run/dbus/system_bus_socket",
  libraries: ["/lib", "/lib64", "/usr/lib"],
  shell: "/bin/sh",
  programs: ["/usr/sbin", "/usr/bin", "/sbin", "/bin"],
  resolvconfRun: "/run/resolvconf",
  nmDnsmasqDir: "/etc/NetworkManager/dnsmasq.d",
  resolvedUplinks: "/run/systemd/resolve/resolv.conf",
};

/** Puts every path below one directory; links and files in there stand for the host's. */
export function pathsBelow(root: string): Paths {
  const below = (path: string) => `${root}${path}`;
  return {
    resolvConf: below(SYSTEM_PATHS.resolvConf),
    nsswitch: below(SYSTEM_PATHS.nsswitch),
    mountinfo: SYSTEM_PATHS.mountinfo,
    busSocket: below(SYSTEM_PATHS.busSocket),
    libraries: SYSTEM_PATHS.libraries.map(below),
    shell: below(SYSTEM_PATHS.shell),
    programs: SYSTEM_PATHS.programs.map(below),
    resolvconfRun: below(SYSTEM_PATHS.resolvconfRun),
    nmDnsmasqDir: below(SYSTEM_PATHS.nmDnsmasqDir),
    resolvedUplinks: below(SYSTEM_PATHS.resolvedUplinks),
  };
}
