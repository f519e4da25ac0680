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
    remedy: "Nothing, unless it comes again and again.",
  },
  "dns-warning": {
    fault: "machine",
    finding: "client",
    hint: "Run `vnet doctor`",
    happened:
      "The DNS settings were made, but something in the way of this machine may spoil them.",
    remedy: "The message says what; `vnet doctor` says more.",
  },
  "dns-journal-unwritable": {
    fault: "machine",
    happened: "The journal of DNS changes cannot be written, so nothing is changed.",
    remedy: "Run as root; check the room and the mode of `/var/lib/vnet`.",
  },
  "dns-server-port": {
    fault: "machine",
    happened:
      "The settings need port 53, and the server has another: the machine changed meanwhile.",
    remedy: "`sudo vnet up` again.",
  },
  "dns-service-failed": {
    fault: "machine",
    happened: "The service that manages DNS does not do what it is asked.",
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
