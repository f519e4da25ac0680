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
    hint: "Make room on the disk of the server's `data_dir`, or have its database back",
    happened: "The audit log cannot be written. Until it can, nothing is allowed.",
    remedy: "Make room on the disk of `data_dir`; start PostgreSQL, if the store is there.",
  },
  "store-unusable": {
    fault: "server",
    httpStatus: 503,
    happened: "The store cannot be opened or written: the file in `data_dir`, or the database.",
    remedy: "Check disk, owner and mode; then [restore](operations.md#backup-and-restore).",
  },
  "store-unreachable": {
    fault: "server",
    httpStatus: 503,
    hint: "Try again in a minute",
    happened: "The PostgreSQL server that has the store is not there, or too slow.",
    remedy:
      "Start it, look at the way there and at its load. The server goes on [by itself](operations.md#the-store-in-postgresql).",
  },
  "store-denied": {
    fault: "server",
    httpStatus: 503,
    happened: "PostgreSQL does not let the server in: password, `pg_hba.conf`, owner.",
    remedy: "Correct `password_file`, or the role and the owner of the database.",
  },
  "store-missing": {
    fault: "server",
    httpStatus: 503,
    happened: "The PostgreSQL server has no database of that name.",
    remedy: "Create it: the server makes the tables, not the database.",
  },
  "store-untrusted": {
    fault: "server",
    httpStatus: 503,
    happened: "The PostgreSQL server speaks no TLS, or its certificate is not good for `host`.",
    remedy: "Name its authority as `ca_file`, and the host as its certificate does.",
  },
  "store-in-use": {
    fault: "server",
    httpStatus: 503,
    happened: "Another server serves from the database. One does at a time.",
    remedy: "Stop the one that is named, or take another database.",
  },
  "backup-exists": {
    fault: "usage",
    exitStatus: 2,
    happened:
      "What `vnet ctl backup`, `vnet server restore` or `vnet server store copy` would write is there already.",
    remedy: "Take another name or an empty database, or `--force` to replace a file.",
  },
  "backup-foreign": {
    fault: "usage",
    exitStatus: 2,
    happened: "The backup, or the store, is of another cluster than the server's file names.",
    remedy: "Take the right one, or the right file.",
  },
  "backup-elsewhere": {
    fault: "usage",
    exitStatus: 2,
    happened: "The store is in PostgreSQL, which has backups of its own.",
    remedy: "`pg_dump`, `pg_restore`: see [operations](operations.md#the-store-in-postgresql).",
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
    happened: "A store cannot be restored or copied while its server runs.",
    remedy: "Stop the server, restore or copy, and start it.",
  },
  "store-too-new": {
    fault: "server",
    happened: "A later vnet wrote the store.",
    remedy: "Run that version or a later one.",
  },
} as const satisfies Record<string, Refusal>;
