/**
 * Which programs the demo and the tests run, and the package each is in, for every family of distributions. Debian's
 * and Ubuntu's are installed by install.ts; the others' names are only told, and nobody has run them.
 *
 * @module
 */

/** Distributions that name their packages alike. */
export const FAMILIES = ["debian", "ubuntu", "fedora", "arch", "alpine", "opensuse"] as const;
export type Family = (typeof FAMILIES)[number];

/** What the packages are for: the demo needs little, the tests need the demo's too. */
export type Use = "demo" | "test";

/** A package under its names, and what we want of it. */
export interface Need {
  /** Programs, or files by their absolute path. */
  readonly programs: readonly string[];
  readonly use: Use;
  /** `null`: this family has no package of it. */
  readonly packages: Readonly<Record<Family, string | null>>;
}

type Row = readonly [programs: string, use: Use, ...packages: readonly (string | null)[]];

// One name stands for the same everywhere; else a name for each family, in the order of FAMILIES.
const ROWS: readonly Row[] = [
  ["gcc", "demo", "gcc"],
  [
    "/usr/include/stdio.h",
    "demo",
    ...["libc6-dev", "libc6-dev", "glibc-devel", "glibc", "musl-dev", "glibc-devel"],
  ],
  ["/etc/ssl/certs", "test", "ca-certificates"],
  ["make", "test", "make"],
  ["clang", "test", "clang"],
  ["musl-gcc", "test", "musl-tools", "musl-tools", "musl-gcc", "musl", null, null],
  ["ip", "test", "iproute2", "iproute2", "iproute", "iproute2", "iproute2", "iproute2"],
  ["nft", "test", "nftables"],
  ["ps", "test", "procps", "procps", "procps-ng", "procps-ng", "procps", "procps"],
  ["unshare nsenter setpriv script", "test", "util-linux"],
  ["useradd", "test", "passwd", "passwd", "shadow-utils", "shadow", "shadow", "shadow"],
  [
    "postgres",
    "test",
    ...["postgresql", "postgresql", "postgresql-server"],
    ...["postgresql", "postgresql", "postgresql-server"],
  ],
  [
    "psql",
    "test",
    ...["postgresql-client", "postgresql-client", "postgresql"],
    ...["postgresql", "postgresql-client", "postgresql"],
  ],
  ["nginx", "test", "nginx-light", "nginx-light", "nginx", "nginx", "nginx", "nginx"],
  [
    "redis-server",
    "test",
    ...["redis-server", "redis-server", "valkey-compat-redis", "valkey", "redis", "redis"],
  ],
  [
    "redis-cli",
    "test",
    ...["redis-tools", "redis-tools", "valkey-compat-redis", "valkey", "redis", "redis"],
  ],
  ["dnsmasq", "test", "dnsmasq-base", "dnsmasq-base", "dnsmasq", "dnsmasq", "dnsmasq", "dnsmasq"],
  ["socat", "test", "socat"],
  ["pasta", "test", "passt"],
  ["slirp4netns", "test", "slirp4netns"],
  ["haproxy", "test", "haproxy"],
  ["stunnel", "test", "stunnel4", "stunnel4", "stunnel", "stunnel", "stunnel", "stunnel"],
  ["openssl", "test", "openssl"],
  ["curl", "test", "curl"],
  [
    "dig",
    "test",
    ...["bind9-dnsutils", "bind9-dnsutils", "bind-utils", "bind", "bind-tools", "bind-utils"],
  ],
  ["getent", "test", "libc-bin", "libc-bin", "glibc-common", "glibc", "musl-utils", "glibc"],
  ["iperf3", "test", "iperf3", "iperf3", "iperf3", "iperf3", "iperf3", "iperf"],
  [
    "faketime",
    "test",
    ...["faketime", "faketime", "libfaketime", "libfaketime", "libfaketime", "libfaketime"],
  ],
  ["strace", "test", "strace"],
  ["groff", "test", "groff-base", "groff-base", "groff-base", "groff", "groff", "groff"],
  ["man", "test", "man-db", "man-db", "man-db", "man-db", "mandoc", "man"],
  ["sudo", "test", "sudo"],
  ["sqlite3", "test", "sqlite3", "sqlite3", "sqlite", "sqlite", "sqlite", "sqlite3"],
  ["kdig", "test", "knot-dnsutils", "knot-dnsutils", "knot-utils", "knot", "knot-utils", null],
  ["drill", "test", "ldnsutils", "ldnsutils", "ldns-utils", "ldns", "drill", "ldns"],
  ["dnsperf", "test", "dnsperf", "dnsperf", "dnsperf", null, "dnsperf", "dnsperf"],
  ["unbound", "test", "unbound"],
  ["desktop-file-validate", "test", "desktop-file-utils"],
  // Ubuntu has it as a snap only.
  ["chromium", "test", "chromium", null, "chromium", "chromium", "chromium", "chromium"],
  ["dbus-daemon", "test", "dbus", "dbus", "dbus-daemon", "dbus", "dbus", "dbus-1-daemon"],
  [
    "busctl systemd-analyze",
    "test",
    ...["systemd", "systemd", "systemd", "systemd", null, "systemd"],
  ],
  ["dpkg-deb", "test", "dpkg"],
  // An ACME server, and two clients of it.
  ["pebble", "test", "pebble", "pebble", null, null, null, null],
  ["certbot", "test", "certbot"],
  ["lego", "test", "lego"],
];

export const NEEDS: readonly Need[] = ROWS.map(([programs, use, ...names]) => ({
  programs: programs.split(" "),
  use,
  packages: Object.fromEntries(
    FAMILIES.map((family, index) => [family, (names.length === 1 ? names[0] : names[index])!]),
  ) as Record<Family, string | null>,
}));

/** The needs of a use, the demo's among the tests'. */
export function needsOf(use: Use): readonly Need[] {
  return NEEDS.filter((need) => use === "test" || need.use === "demo");
}

/** @returns The names of packages, each once, in the order given. */
export function packagesOf(needs: readonly Need[], family: Family): string[] {
  const names = needs.map(({ packages }) => packages[family]).filter((name) => name !== null);
  return [...new Set(names)];
}

/** @returns The package a program is in, or `null` if the table does not have it or the family lacks it. */
export function packageOf(program: string, family: Family): string | null {
  return NEEDS.find(({ programs }) => programs.includes(program))?.packages[family] ?? null;
}
