/**
 * Which back end fits a host. A pure decision over gathered facts, so that every kind of host is a row of a table.
 *
 * @module
 */
import { type HostsSource, resolveComesBeforeDns } from "../../../../dns/mod.ts";
import type { BackendKind, Choice, Mode } from "../types.ts";
import { OsError } from "../../../../error.ts";

/** What lies at /etc/resolv.conf. */
export interface ResolvConfFacts {
  readonly kind: "missing" | "file" | "symlink" | "other";
  /** The link's text; `null` when it is none. */
  readonly link: string | null;
  /** Who says so in the comments on top; `null` when nobody does. */
  readonly owner: string | null;
  /** As written, in order; empty when the file is missing or the link dangles. */
  readonly nameservers: readonly string[];
  readonly isMountPoint: boolean;
  /** Why it cannot be written, as an errno name; `null` when it can. */
  readonly writeErrno: string | null;
}

/** Everything the decision rests on; `null` is "looked, nothing there". */
export interface Facts {
  readonly resolvConf: ResolvConfFacts;
  /** The `hosts` line of nsswitch.conf; `null` where there is none, as on musl. */
  readonly nssHosts: readonly HostsSource[] | null;
  /** `both`: musl beside glibc, as a package on a glibc host. */
  readonly libc: "glibc" | "musl" | "both" | "unknown";
  readonly hasBus: boolean;
  readonly resolved: { readonly resolvConfMode: string } | null;
  readonly networkManager: { readonly dnsMode: string; readonly rcManager: string } | null;
  readonly resolvconf: "openresolv" | "debian" | "resolvectl" | null;
}

const STUBS: readonly string[] = ["127.0.0.53", "127.0.0.54"];

/** Says whether a nameserver line leads to systemd-resolved's own stub listener. */
function isResolvedStub(nameserver: string): boolean {
  return STUBS.includes(nameserver);
}

/**
 * Chooses a back end.
 *
 * @throws OsError `resolved-missing`, `resolv-conf-read-only` when a mode was forced that cannot work here
 */
export function detect(facts: Facts, mode: Mode): Choice {
  switch (mode) {
    case "auto":
      return detectAuto(facts);
    case "resolved":
      return forcedResolved(facts);
    case "direct":
      return forcedDirect(facts);
    case "none":
      return choice("none", ["asked for by the user"], []);
    default:
      return mode satisfies never;
  }
}

function detectAuto(facts: Facts): Choice {
  const { resolvConf, resolved } = facts;
  const why: string[] = [];
  const warnings: string[] = [];
  if (resolved !== null) {
    const use = useOfResolved(facts);
    if (use.length > 0) return choice("resolved", use, bypassWarnings(facts));
    why.push("systemd-resolved runs, but nothing here uses it");
  } else if (pointsToStub(facts)) {
    warnings.push(
      "resolv.conf points to systemd-resolved, which is not on the bus: names do not resolve on this host",
    );
  }
  if (facts.networkManager?.dnsMode === "dnsmasq" && resolvConf.nameservers.some(isLoopbackText)) {
    return choice(
      "nm-dnsmasq",
      [...why, "NetworkManager runs dnsmasq as the local resolver"],
      warnings,
    );
  }
  const claimsResolvconf = resolvConf.owner === "resolvconf" ||
    (resolvConf.link ?? "").includes("resolvconf/");
  if (claimsResolvconf && facts.resolvconf === "openresolv") {
    return choice("openresolv", [...why, "openresolv writes resolv.conf"], warnings);
  }
  if (claimsResolvconf && facts.resolvconf === "debian") {
    return choice(
      "debian-resolvconf",
      [...why, "Debian's resolvconf writes resolv.conf"],
      warnings,
    );
  }
  if (claimsResolvconf) {
    why.push("resolv.conf claims to be resolvconf's, but that program is not here");
  }
  if (resolvConf.writeErrno !== null || resolvConf.kind === "other") {
    return choice("none", [...why, unwritable(resolvConf)], warnings);
  }
  return takeover(facts, [...why, originOf(facts)], warnings);
}

function forcedResolved(facts: Facts): Choice {
  if (facts.resolved === null) {
    const state = facts.hasBus ? "it is not on the message bus" : "there is no message bus here";
    throw new OsError("resolved-missing", `Cannot use systemd-resolved: ${state}`, {
      call: "org.freedesktop.resolve1",
      errno: "ENOENT",
      hint: "Use DNS mode auto or direct",
    });
  }
  const use = useOfResolved(facts);
  const unused =
    "neither resolv.conf nor nsswitch.conf leads to systemd-resolved: programs do not see the zones";
  return choice(
    "resolved",
    ["asked for by the user", ...use],
    use.length > 0 ? bypassWarnings(facts) : [unused],
  );
}

function forcedDirect(facts: Facts): Choice {
  const { resolvConf } = facts;
  if (resolvConf.writeErrno !== null || resolvConf.kind === "other") {
    throw readOnlyError(resolvConf);
  }
  const warnings = facts.resolved !== null && nssResolves(facts)
    ? ["programs that use nss still ask systemd-resolved first, and it may know other servers"]
    : [];
  return takeover(facts, ["asked for by the user"], warnings);
}

/** Holds where the host's own nameservers are kept beside ours, and only there. */
export const FALLBACK_WARNING =
  "programs built with musl ask every nameserver at once: they may miss the zones";

function takeover(facts: Facts, why: readonly string[], warnings: readonly string[]): Choice {
  const lines: string[] = [...why];
  if (facts.resolvConf.isMountPoint) lines.push("resolv.conf is a mount point: rewritten in place");
  // musl asks every server at once: with the host's lines kept, 7 of 8 lookups went to the wrong one.
  const fallbackLines = facts.libc === "glibc" || facts.libc === "both";
  if (!fallbackLines) lines.push(`libc is ${facts.libc}: no other nameserver beside ours`);
  return {
    ...choice("direct", lines, facts.libc === "both" ? [...warnings, FALLBACK_WARNING] : warnings),
    fallbackLines,
  };
}

/** The error of a resolv.conf that nobody may write. */
export function readOnlyError(resolvConf: Pick<ResolvConfFacts, "kind" | "writeErrno">): OsError {
  const state = resolvConf.kind === "other"
    ? "it is neither a file nor a symbolic link"
    : `it cannot be written (${resolvConf.writeErrno})`;
  return new OsError("resolv-conf-read-only", `Cannot take over /etc/resolv.conf: ${state}`, {
    call: "open",
    errno: resolvConf.writeErrno ?? "EINVAL",
    hint: "Use DNS mode none and add the nameserver line it prints, or make the file writable",
  });
}

/** How names reach resolved; empty when they do not. */
function useOfResolved(facts: Facts): string[] {
  const why: string[] = [];
  const { nameservers } = facts.resolvConf;
  if (nameservers.length > 0 && nameservers.every(isResolvedStub)) {
    why.push("resolv.conf points only to systemd-resolved's stub");
  }
  if (nssResolves(facts)) why.push("nss-resolve comes before dns in nsswitch.conf");
  return why;
}

function nssResolves(facts: Facts): boolean {
  return facts.nssHosts !== null && resolveComesBeforeDns(facts.nssHosts);
}

function bypassWarnings(facts: Facts): string[] {
  const { nameservers } = facts.resolvConf;
  if (nameservers.length > 0 && nameservers.every(isResolvedStub)) return [];
  const list = nameservers.length === 0 ? "none" : nameservers.join(", ");
  return [
    `programs that read resolv.conf themselves (Go, musl, c-ares, containers) bypass systemd-resolved: nameservers there: ${list}`,
  ];
}

function pointsToStub(facts: Facts): boolean {
  const { link, nameservers } = facts.resolvConf;
  return (link ?? "").includes("systemd/resolve/") ||
    (nameservers.length > 0 && nameservers.every(isResolvedStub));
}

function originOf(facts: Facts): string {
  const { resolvConf } = facts;
  if (resolvConf.kind === "missing") return "there is no resolv.conf";
  if (resolvConf.kind === "symlink" && resolvConf.nameservers.length === 0) {
    return `resolv.conf is a symbolic link to nothing usable ("${resolvConf.link}")`;
  }
  if (facts.networkManager !== null && resolvConf.owner === "NetworkManager") {
    return "NetworkManager writes resolv.conf itself: taken over, its rewrites followed";
  }
  if (resolvConf.owner === "vnet") return "resolv.conf was left by a vnet whose journal is gone";
  return resolvConf.owner === null
    ? "resolv.conf is a plain file that programs read themselves"
    : `resolv.conf is written by ${resolvConf.owner}`;
}

function unwritable(resolvConf: ResolvConfFacts): string {
  return resolvConf.kind === "other"
    ? "resolv.conf is neither a file nor a symbolic link"
    : `resolv.conf cannot be written (${resolvConf.writeErrno})`;
}

function isLoopbackText(nameserver: string): boolean {
  return nameserver.startsWith("127.") || nameserver === "::1";
}

function choice(
  backend: BackendKind,
  why: readonly string[],
  warnings: readonly string[],
): Choice {
  return { backend, why, warnings, fallbackLines: false };
}
