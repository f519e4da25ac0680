import type { Refusal } from "../refusal.ts";

/** The daemon and its helper. */
export const PROCESS = {
  "daemon-not-running": {
    fault: "machine",
    exitStatus: 5,
    happened: "vnet is not up.",
    remedy: "`sudo vnet up`.",
  },
  "already-up": {
    fault: "machine",
    happened: "A daemon of yours runs already, or was told other options than `vnet up` now.",
    remedy: "`vnet status`; `sudo vnet restart` with those options, it keeps the rest.",
  },
  "daemon-stuck": {
    fault: "machine",
    happened: "The daemon does not answer, or does not end.",
    remedy: "`sudo kill` its pid; `sudo vnet down` repairs the rest.",
  },
  "purge-failed": {
    fault: "machine",
    happened: "`vnet down --purge` could not remove all of your files.",
    remedy: "The lines above it say why; without `sudo` it removes your own part.",
  },
  "daemon-mismatch": {
    fault: "protocol",
    happened: "The daemon's answer is not understood: another version runs.",
    remedy: "`sudo vnet restart`.",
  },
  "start-failed": {
    fault: "machine",
    happened: "vnet ended while it started.",
    remedy: "Read the two log files of the hint.",
  },
  "start-timeout": {
    fault: "machine",
    happened: "vnet was not ready in time.",
    remedy: "Read the two log files of the hint.",
  },
  "starting": {
    fault: "machine",
    happened: "The daemon is not ready for this yet.",
    remedy: "`vnet wait`.",
  },
  "not-ready": {
    fault: "machine",
    happened: "`vnet wait` waited as long as it should, in vain.",
    remedy: "`vnet status` shows what is missing.",
  },
  "log-missing": {
    fault: "machine",
    happened: "`vnet logs`: vnet has no log file; it was never up in the background.",
    remedy: "`sudo vnet up --detach`; without `--detach` the log is on its terminal.",
  },
  "log-denied": {
    fault: "machine",
    exitStatus: 5,
    happened: "`vnet logs`: root brought vnet up, and the log is root's.",
    remedy: "`sudo vnet logs`.",
  },
  "helper-missing": {
    fault: "machine",
    happened: "There is no helper service to connect to.",
    remedy: "`sudo vnet service install`, or `sudo vnet up`.",
  },
  "helper-denied": {
    fault: "machine",
    exitStatus: 5,
    happened: "You are not in group `vnet`, and no polkit rule lets you use the helper service.",
    remedy: "`sudo usermod -aG vnet NAME`, and log in anew.",
  },
  "helper-refused": {
    fault: "machine",
    happened: "The helper service hung up at once, as when too many users have vnet up.",
    remedy: "Root reads `journalctl -u 'vnet-helper*'`.",
  },
  "helper-lost": {
    fault: "machine",
    happened: "The root helper went away; the daemon ends too.",
    remedy: "`sudo vnet up`.",
  },
  "helper-stuck": {
    fault: "machine",
    happened: "The root helper does not answer.",
    remedy: "`sudo vnet restart`.",
  },
  "helper-overdue": {
    fault: "machine",
    happened: "A service of the machine that the root helper asks hangs, often the resolver's.",
    remedy: "Restart that service, then `sudo vnet restart`.",
  },
} as const satisfies Record<string, Refusal>;
