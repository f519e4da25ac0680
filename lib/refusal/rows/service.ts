import type { Refusal } from "../refusal.ts";

/** What `vnet service` meets. */
export const SERVICE = {
  "systemd-missing": {
    fault: "machine",
    happened: "This machine does not run systemd.",
    remedy: "Have your init system run `vnet up` as root; nothing else needs the service.",
  },
  "service-program-unusable": {
    fault: "machine",
    happened:
      "A unit cannot run this program as root: others can write it, or services do not see it.",
    remedy: "`sudo install -m 755 vnet /usr/local/bin/`, and run that one.",
  },
  "service-file-foreign": {
    fault: "machine",
    happened:
      "A unit file of ours was edited, or another package has one of that name. Nothing was done.",
    remedy: "Move it away; put changes into drop-ins (`systemctl edit`).",
  },
  "service-user-unusable": {
    fault: "machine",
    happened:
      "`--user`: there is no such user, it is root, or its name or home cannot stand in a unit file.",
    remedy: "Name a user of `/etc/passwd` with a home of their own.",
  },
  "polkit-missing": {
    fault: "machine",
    happened: "`--polkit`: this machine has no polkit.",
    remedy: "Install `polkitd`, or leave out `--polkit`.",
  },
  "service-command-failed": {
    fault: "machine",
    happened: "`systemctl`, `groupadd` or `groupdel` failed; the message has what it said.",
    remedy: "Run the command by hand to see why.",
  },
  "zone-forbidden": {
    fault: "config",
    happened: "Root's `/etc/vnet/helper.yaml` does not list a zone of your clusters.",
    remedy: "Have root add it to `zones`.",
  },
  "service-receipt-damaged": {
    fault: "machine",
    happened: "`/var/lib/vnet/service.json`, which says what was installed, cannot be read.",
    remedy: "Check the file. Without it `uninstall` removes nothing; remove the files by hand.",
  },
} as const satisfies Record<string, Refusal>;
