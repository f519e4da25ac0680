import type { Refusal } from "../refusal.ts";

/** What comes from the innards. */
export const INTERNAL = {
  "internal": {
    fault: "internal",
    answer: "icmp",
    httpStatus: 500,
    state: "something unexpected happened",
    hint: "See the log; `--debug` says more",
    happened: "Something unexpected. The log of the process has it.",
    remedy: "Look there; `--debug` says more.",
  },
  "answers-failed": {
    fault: "internal",
    happened: "The DNS server has no memory for its answers.",
    remedy: "Free some.",
  },
  "datapath-failed": {
    fault: "internal",
    happened: "The packet thread could not start.",
    remedy: "The message has the reason; often a limit on threads.",
  },
  "netlink-failed": {
    fault: "internal",
    happened: "The kernel's list of routes and addresses cannot be read.",
    remedy: "The message has the reason.",
  },
  "raw-failed": {
    fault: "internal",
    happened: "A raw socket cannot be opened.",
    remedy: "The message has the reason.",
  },
  "helper-busy": {
    fault: "internal",
    happened: "The helper was asked too often for a device or a port.",
    remedy: "`sudo vnet restart`.",
  },
  "helper-mismatch": {
    fault: "protocol",
    happened: "The helper's answer is not understood.",
    remedy: "`sudo vnet restart`.",
  },
  "helper-order": {
    fault: "internal",
    happened: "The helper was asked in the wrong order.",
    remedy: "`sudo vnet restart`.",
  },
  "descriptor-closed": {
    fault: "internal",
    happened: "A descriptor was used after it was closed.",
    remedy: "`sudo vnet restart`.",
  },
  "listener-unknown": {
    fault: "internal",
    happened: "A listening socket was not found again.",
    remedy: "`sudo vnet restart`.",
  },
  "socket-failed": {
    fault: "internal",
    happened: "A socket between the processes cannot be made or read.",
    remedy: "The message has the reason.",
  },
  "socket-busy": {
    fault: "internal",
    happened: "Another process listens on the socket.",
    remedy: "Stop the other one.",
  },
  "socket-listen-failed": {
    fault: "internal",
    happened: "A socket between the processes cannot be made.",
    remedy: "Check the folder's owner and mode.",
  },
  "socket-accept-failed": {
    fault: "internal",
    happened: "A connection between the processes failed.",
    remedy: "The message has the reason.",
  },
  "socket-connect-failed": {
    fault: "internal",
    happened: "The other process cannot be reached.",
    remedy: "`sudo vnet restart`.",
  },
  "socket-send-failed": {
    fault: "internal",
    happened: "A message to the other process was not sent.",
    remedy: "`sudo vnet restart`.",
  },
  "socket-receive-failed": {
    fault: "internal",
    happened: "A message of the other process was not received.",
    remedy: "`sudo vnet restart`.",
  },
  "socket-owner-failed": {
    fault: "internal",
    happened: "The kernel does not say whose a connection is.",
    remedy: "Needs `CONFIG_INET_DIAG`.",
  },
  "sockets-destroy-failed": {
    fault: "internal",
    happened: "Old connections could not be cut.",
    remedy: "They end by themselves.",
  },
  "udp-receive-failed": {
    fault: "internal",
    happened: "A datagram could not be read.",
    remedy: "The message has the reason.",
  },
  "spawn-failed": {
    fault: "internal",
    happened: "A process cannot be started.",
    remedy: "The message has the reason.",
  },
  "harden-failed": {
    fault: "internal",
    happened: "A process cannot give up what it has no use for; it runs on with it.",
    remedy: "Run a kernel with seccomp (`CONFIG_SECCOMP_FILTER`). The message has the reason.",
  },
  "command-unknown": {
    fault: "internal",
    happened: "A program to start is not in `PATH`. `vnet run` then ends with status 127.",
    remedy: "Install it, or correct `PATH`.",
  },
  "file-failed": {
    fault: "internal",
    happened: "A file for a process's output cannot be opened.",
    remedy: "Check owner, mode and room.",
  },
  "mount-failed": {
    fault: "internal",
    happened: "A mount inside a namespace failed.",
    remedy: "The message has the reason.",
  },
  "process-unknown": {
    fault: "internal",
    happened: "A process to wait for is gone.",
    remedy: "Run the command again.",
  },
  "wait-failed": {
    fault: "internal",
    happened: "Waiting for a descriptor failed.",
    remedy: "The message has the reason.",
  },
} as const satisfies Record<string, Refusal>;
