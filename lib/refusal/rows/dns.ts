import type { Refusal } from "../refusal.ts";

/** The machine's DNS settings. */
export const DNS = {
  "dns-in-use": {
    fault: "machine",
    happened: "Another vnet already manages this machine's DNS settings, or one of the zones.",
    remedy: "`sudo vnet down` there, or `--dns none` here.",
  },
  "dns-changed": {
    fault: "machine",
    finding: "helper",
    happened: "Another program changed the DNS settings; the message says what vnet did.",
    remedy: "No action needed, unless it happens repeatedly.",
  },
  "dns-warning": {
    fault: "machine",
    finding: "client",
    hint: "Run `vnet doctor`",
    happened: "The DNS settings are in place, but something on this machine may override them.",
    remedy: "The message says what; `vnet doctor` says more.",
  },
  "dns-journal-unwritable": {
    fault: "machine",
    happened: "The journal of DNS changes cannot be written, so nothing is changed.",
    remedy: "Run as root; check free space and the mode of `/var/lib/vnet`.",
  },
  "folder-untrusted": {
    fault: "machine",
    happened: "Root is to work in a folder, or read a journal, that somebody else can change.",
    remedy: "Name one that only root can write, its parents too.",
  },
  "dns-server-port": {
    fault: "machine",
    happened:
      "The resolver needs the DNS server on port 53, and it has another port: the resolver changed while vnet was up.",
    remedy: "`sudo vnet up` again.",
  },
  "dns-service-failed": {
    fault: "machine",
    happened: "The service that manages DNS did not apply the settings.",
    remedy: "Try again, or `--dns direct`.",
  },
  "dbus-unreachable": {
    fault: "machine",
    happened: "The system's message bus cannot be reached.",
    remedy: "Start it, or `--dns direct`.",
  },
  "resolved-missing": {
    fault: "machine",
    happened: "`--dns resolved`, and systemd-resolved does not run.",
    remedy: "`--dns auto` or `--dns direct`.",
  },
  "resolved-refused": {
    fault: "machine",
    happened: "systemd-resolved refuses the settings.",
    remedy: "The message has its reason; `--dns direct` does without it.",
  },
  "resolved-too-old": {
    fault: "machine",
    happened: "systemd-resolved before version 246 knows no port but 53.",
    remedy: "`--dns direct`.",
  },
  "resolvconf-refused": {
    fault: "machine",
    happened: "The program `resolvconf` refuses the settings.",
    remedy: "The message has its words; `--dns direct` does without it.",
  },
  "resolv-conf-read-only": {
    fault: "machine",
    happened: "`/etc/resolv.conf` cannot be replaced.",
    remedy: "Make it writable, or `--dns none` and add the line that is printed.",
  },
  "udp-busy": {
    fault: "machine",
    happened: "Another program has the DNS server's UDP port.",
    remedy: "`ss -lunp` shows which.",
  },
  "udp-bind-denied": {
    fault: "machine",
    happened: "A port below 1024 needs privilege.",
    remedy: "Run with `sudo`.",
  },
  "udp-bind-failed": {
    fault: "machine",
    happened: "The UDP port cannot be opened.",
    remedy: "The message has the system's reason.",
  },
  "tcp-busy": {
    fault: "machine",
    happened: "Another program has the DNS server's TCP port.",
    remedy: "`ss -ltnp` shows which.",
  },
  "tcp-listen-denied": {
    fault: "machine",
    happened: "A port below 1024 needs privilege.",
    remedy: "Run with `sudo`.",
  },
  "tcp-listen-failed": {
    fault: "machine",
    happened: "The TCP port cannot be opened.",
    remedy: "The message has the system's reason.",
  },
} as const satisfies Record<string, Refusal>;
