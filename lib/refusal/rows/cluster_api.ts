import type { Refusal } from "../refusal.ts";

/** Other refusals of the cluster's API, and troubles of the server itself. */
export const CLUSTER_API = {
  "resource-exists": {
    fault: "usage",
    httpStatus: 409,
    hint: "Change it with `vnet ctl create -f FILE --force`",
    happened: "There is a resource of that name.",
    remedy: "Replace it: `vnet ctl create -f FILE --force`.",
  },
  "resource-changed": {
    fault: "usage",
    httpStatus: 409,
    hint: "Get it again and repeat your change",
    happened: "Another administrator changed it since you read it (`metadata.revision`).",
    remedy: "Get it again and repeat your change.",
  },
  "resource-in-use": {
    fault: "usage",
    httpStatus: 409,
    happened: "A role is still held by users, or the thing must always be there.",
    remedy: "Take the role from its users first; replace `vnet_config` instead.",
  },
  "resource-invalid": {
    fault: "config",
    httpStatus: 422,
    happened: "A resource refers to something that is not there, such as an unknown role.",
    remedy: "Create that first; `vnet ctl get role` lists roles.",
  },
  "trust-refused": {
    fault: "config",
    httpStatus: 422,
    hint: "Compare names, token and CA pin: `vnet ctl status` on the root shows them",
    happened:
      "Two clusters cannot become root and leaf: a name or an authority is not what it should be, is known already, or the root cannot be reached.",
    remedy:
      "Compare name, address and CA pin with `vnet ctl status` on the root; remove what is known already with `vnet ctl rm`.",
  },
  "server-not-running": {
    fault: "machine",
    happened: "`vnet ctl` cannot reach the admin socket in `data_dir`.",
    remedy: "Start the server; run `vnet ctl` as the server's user, with its file.",
  },
  "answer-malformed": {
    fault: "protocol",
    happened: "The server's answer to `vnet ctl` is not understood.",
    remedy: "Use one version of vnet on both sides.",
  },
  "request-malformed": {
    fault: "protocol",
    httpStatus: 400,
    hint: "Use versions that fit (`vnet version`)",
    happened: "The API does not understand a request.",
    remedy: "Use versions that fit (`vnet version`).",
  },
  "request-timeout": {
    fault: "network",
    httpStatus: 408,
    hint: "Try again; check the network",
    happened: "The body of a request came too slowly.",
    remedy: "Try again; check the network.",
  },
  "request-too-large": {
    fault: "usage",
    httpStatus: 413,
    happened: "The body of a request is too large.",
    remedy: "Split the file of resources.",
  },
  "rate-limited": {
    fault: "server",
    httpStatus: 429,
    hint: "Try again in a minute",
    happened: "Too many requests, or failed logins, from one address or its network.",
    remedy: "Wait as long as the message says.",
  },
  "busy": {
    fault: "server",
    httpStatus: 503,
    hint: "Try again in a minute",
    happened: "Too many logins or waiting requests at a time.",
    remedy: "Try again in a minute.",
  },
  "listen-failed": {
    fault: "machine",
    happened: "The server cannot listen on `listen_addr`.",
    remedy: "Look who has the port (`ss -ltnp`); ports below 1024 need privilege.",
  },
  "admin-socket-unusable": {
    fault: "machine",
    happened: "The server cannot make its admin socket in `data_dir`.",
    remedy: "Stop the other server of that `data_dir`; check owner and mode.",
  },
  "audit-unwritable": {
    fault: "server",
    httpStatus: 503,
    hint: "Make room on the disk of the server's `data_dir`",
    happened: "The audit log cannot be written. Until it can, nothing is allowed.",
    remedy: "Make room on the disk of `data_dir`.",
  },
  "store-unusable": {
    fault: "server",
    httpStatus: 503,
    happened: "The store in `data_dir` cannot be opened or written.",
    remedy: "Check disk, owner and mode; then [restore](operations.md#backup-and-restore).",
  },
  "backup-exists": {
    fault: "usage",
    exitStatus: 2,
    happened: "What `vnet ctl backup` or `vnet server restore` would write is there already.",
    remedy: "Take another name, or `--force` to replace it.",
  },
  "backup-foreign": {
    fault: "usage",
    exitStatus: 2,
    happened: "The backup is of another cluster than the server's file names.",
    remedy: "Take the right backup, or the right file.",
  },
  "backup-failed": {
    fault: "machine",
    happened: "The store, or its copy, cannot be read or written.",
    remedy: "Run it as root or as the server's user; look for room on the disk.",
  },
  "backup-unusable": {
    fault: "server",
    happened: "A copy of the store is damaged, of a later vnet, or none.",
    remedy: "Take another backup; of a running server, look after its disk.",
  },
  "server-running": {
    fault: "usage",
    happened: "A store cannot be restored while its server runs.",
    remedy: "Stop the server, restore, and start it.",
  },
  "store-too-new": {
    fault: "server",
    happened: "A later vnet wrote the store.",
    remedy: "Run that version or a later one.",
  },
} as const satisfies Record<string, Refusal>;
