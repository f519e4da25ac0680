import type { Refusal } from "../refusal.ts";

/** The daemon and its helper. */
export const PROCESS = {
  "connections-full": {
    fault: "machine",
    happened: "Too many connections of `vnet connect` and `vnet proxy` are open at once.",
    remedy: "Close some, or find the program that opens so many.",
  },
  "daemon-not-running": {
    fault: "machine",
    exitStatus: 5,
    happened: "vnet is not up.",
    remedy: "`sudo vnet up`.",
  },
  "already-up": {
    fault: "machine",
    happened: "Your daemon is already running, or is running with other options.",
    remedy: "`vnet status`; `sudo vnet restart` with the new options keeps the others.",
  },
  "daemon-stuck": {
    fault: "machine",
    happened: "The daemon does not answer or does not exit.",
    remedy: "`sudo kill` its pid; `sudo vnet down` repairs the rest.",
  },
  "purge-failed": {
    fault: "machine",
    happened: "`vnet down --purge` could not remove all of your files.",
    remedy: "The lines above it say why; without `sudo` it removes your own part.",
  },
  "daemon-mismatch": {
    fault: "protocol",
    happened: "The daemon's answer is invalid: it is another version.",
    remedy: "`sudo vnet restart`.",
  },
  "start-failed": {
    fault: "machine",
    happened: "vnet exited while starting.",
    remedy: "Read the log files that the hint names.",
  },
  "start-timeout": {
    fault: "machine",
    happened: "vnet was not ready in time.",
    remedy: "Read the log files that the hint names.",
  },
  "run-failed": {
    fault: "machine",
    happened: "`vnet run` cannot become its command.",
    remedy: "The message has the step and the reason; `vnet --debug run` says more.",
  },
  "namespaces-lost": {
    fault: "machine",
    happened: "The namespaces of `vnet run` ended before its command was started.",
    remedy: "`vnet --debug run` says why.",
  },
  "starting": {
    fault: "machine",
    happened: "The daemon is not ready for this yet.",
    remedy: "`vnet wait`.",
  },
  "not-ready": {
    fault: "machine",
    happened: "`vnet wait` timed out.",
    remedy: "`vnet status` shows the reason.",
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
    remedy: "`sudo usermod -aG vnet NAME`, and log in to this machine again.",
  },
  "helper-refused": {
    fault: "machine",
    happened: "The helper service closed the connection; too many users may have vnet up.",
    remedy: "Root reads `journalctl -u 'vnet-helper*'`.",
  },
  "helper-lost": {
    fault: "machine",
    happened: "The root helper exited, so the daemon did too.",
    remedy: "`sudo vnet up`.",
  },
  "helper-stuck": {
    fault: "machine",
    happened: "The root helper does not answer.",
    remedy: "`sudo vnet restart`.",
  },
  "helper-overdue": {
    fault: "machine",
    happened: "A system service that the root helper calls hangs, often the resolver.",
    remedy: "Restart that service, then `sudo vnet restart`.",
  },
} as const satisfies Record<string, Refusal>;
