import type { Refusal } from "../refusal.ts";

/** Where addresses come from, and what else the machine must have. */
export const RANGE = {
  "range-conflict": {
    fault: "machine",
    happened: "This machine has a route or address inside the range, and no other range is free.",
    remedy:
      "Omit `--cidr`, if it was given; else name a range that no network of yours uses: `sudo vnet up --cidr RANGE`.",
  },
  "range-in-use": {
    fault: "machine",
    happened:
      "A gateway, a nameserver or a live connection of this machine has an address in the range.",
    remedy: "As with `range-conflict`; or close the connection that the message names.",
  },
  "range-forbidden": {
    fault: "config",
    finding: "plan",
    hint:
      "If no network of yours uses the range, have root add it to `ranges` in /etc/vnet/helper.yaml",
    happened:
      "The range is private space that other networks may use (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16), and root does not allow it. A cluster's names get addresses elsewhere.",
    remedy:
      "If no network of yours uses the range: `sudo vnet restart --cidr RANGE`, or have root add it to `ranges` in `/etc/vnet/helper.yaml`.",
  },
  "range-unasked": {
    fault: "config",
    finding: "plan",
    hint: "Run `vnet restart` at a terminal: it asks whether to take the range",
    happened:
      "A cluster wants addresses from private space that your other networks may use; its names get addresses elsewhere.",
    remedy: "`vnet restart` at a terminal asks whether to take the range.",
  },
  "mode-refused": {
    fault: "config",
    happened: "`--dns` is a mode that root does not allow.",
    remedy: "Omit it, or have root change `dns` in `/etc/vnet/helper.yaml`.",
  },
  "range-refused": {
    fault: "config",
    happened: "The range is public address space, or has another size than vnet's (/8 to /27).",
    remedy: "Use one inside 100.64.0.0/10, or a private one that no network of yours uses.",
  },
  "range-moved": {
    fault: "machine",
    finding: "client",
    hint: "No action needed; use `--cidr` to choose a range",
    happened: "The cluster's range is in use here; vnet uses another range.",
    remedy: "No action needed; use `--cidr` to choose a range.",
  },
  "range-shadowed": {
    fault: "machine",
    finding: "helper",
    hint: "Run `sudo vnet restart`: vnet then chooses another range",
    happened: "Another program has a route or address inside vnet's range.",
    remedy: "`sudo vnet restart`: vnet then chooses another range.",
  },
  "range-full": {
    fault: "config",
    finding: "client",
    ede: { code: 0, kind: "no-address", text: "no free address for this name" },
    hint: "Have the cluster's `ipv4_cidr_range` made larger, or choose one with `--cidr`",
    happened: "Some names have no address: the range is full.",
    remedy: "A larger `ipv4_cidr_range`, or `--cidr`.",
  },
  "range-invalid": {
    fault: "config",
    finding: "plan",
    hint: "Correct `ipv4_cidr_range` in the cluster's `vnet_config`",
    happened:
      "A cluster's range is public, not IPv4, or of another size than /8 to /27; addresses come from 100.64.0.0/10.",
    remedy: "Correct `vnet_config`.",
  },
  "range-overlap": {
    fault: "config",
    finding: "plan",
    hint:
      "No action needed; to end the warning, give the clusters the same range or ranges that do not overlap",
    happened: "Two clusters' ranges overlap; addresses come from the first.",
    remedy: "No action needed; or give the clusters ranges that do not overlap.",
  },
  "range-limit": {
    fault: "config",
    finding: "plan",
    hint: "Give clusters the same range",
    happened: "More than 16 ranges; addresses come from the first.",
    remedy: "Give clusters the same range.",
  },
  "ipv6-off": {
    fault: "machine",
    finding: "client",
    happened: "IPv6 is off on this machine; apps are reached by IPv4.",
    remedy: "No action needed.",
  },
  "apply-failed": {
    fault: "machine",
    finding: "client",
    hint: "It is tried again with the next change",
    happened: "A change of the clusters could not be applied; what was there stays.",
    remedy: "The message says why; it is tried again with the next change.",
  },
  "state-unsaved": {
    fault: "machine",
    finding: "client",
    happened: "vnet cannot write what it knows to its state folder; it goes on with what it has.",
    remedy: "Make room on the disk, and check the folder's owner; the message names the file.",
  },
  "leases-damaged": {
    fault: "machine",
    happened: "The file of assigned addresses cannot be read.",
    remedy: "Move it away; vnet then assigns new addresses.",
  },
  "listener-guard-failed": {
    fault: "machine",
    happened:
      "The socket filter that protects a listener from other hosts and users cannot be attached.",
    remedy: "Needs Linux with socket filters; the message has the reason.",
  },
  "shim-missing": {
    fault: "machine",
    happened: "The C library was not built.",
    remedy: "`deno task shim`.",
  },
  "shim-unusable": {
    fault: "machine",
    happened: "The C library cannot be loaded: another version or another machine's.",
    remedy: "`deno task shim`.",
  },
  "folder-denied": {
    fault: "machine",
    happened: "The demo cannot create its temporary folder.",
    remedy: "Set `TMPDIR` to a writable folder.",
  },
  "namespaces-denied": {
    fault: "machine",
    happened: "This machine does not allow the namespaces that `vnet run` and `vnet demo` need.",
    remedy: "The hint names the switch, mostly a `sysctl`; `vnet demo` also runs with `sudo`.",
  },
  "resolv-conf-missing": {
    fault: "machine",
    happened: "The demo has no `/etc/resolv.conf` to cover.",
    remedy: "`sudo touch /etc/resolv.conf`.",
  },
  "demo-failed": {
    fault: "internal",
    happened: "A part of the demo did not start.",
    remedy: "Run it with `--debug`.",
  },
  "claim-failed": {
    fault: "internal",
    happened: "A check of the demo failed.",
    remedy: "Run it with `--debug`; this is a bug.",
  },
} as const satisfies Record<string, Refusal>;
