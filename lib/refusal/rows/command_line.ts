import type { Refusal } from "../refusal.ts";

/** What is typed, and the files that it names. */
export const COMMAND_LINE = {
  "usage": {
    fault: "usage",
    exitStatus: 2,
    happened: "The command line is invalid: a command, option or value.",
    remedy: "Follow the hint; `vnet help COMMAND` lists the options.",
  },
  "cancelled": {
    fault: "usage",
    happened: "You cancelled the command or left a prompt unanswered.",
    remedy: "Nothing; run it again.",
  },
  "app-ambiguous": {
    fault: "usage",
    exitStatus: 2,
    happened: "Several clusters have an app of that name.",
    remedy: "Name the cluster with `--cluster`, or use a DNS name of the app.",
  },
  "port-needed": {
    fault: "usage",
    exitStatus: 2,
    happened: "The app has several ports, and none was named.",
    remedy: "Name one: `vnet connect APP:PORT`; `vnet apps ls` lists them.",
  },
  "name-needed": {
    fault: "usage",
    exitStatus: 2,
    happened: "A program asked `vnet proxy` for an address in place of a name.",
    remedy: "Let the proxy resolve names: `socks5h://` in place of `socks5://`.",
  },
  "address-in-use": {
    fault: "usage",
    exitStatus: 2,
    happened: "`--listen`: another program listens on this address and port.",
    remedy: "Choose another port; port 0 takes one that is free.",
  },
  "address-unavailable": {
    fault: "usage",
    exitStatus: 2,
    happened: "`--listen`: this machine cannot listen there; the message has the system's reason.",
    remedy: "Use `127.0.0.1:0`; a port below 1024 needs root.",
  },
  "mfa-nothing-waits": {
    fault: "usage",
    exitStatus: 2,
    happened: "`vnet mfa approve`, `decline`: no connection waits for a second factor.",
    remedy: "Connect to the app first; `vnet mfa ls` shows what waits.",
  },
  "clipboard-missing": {
    fault: "machine",
    happened: "`vnet apps ls --copy`: no clipboard program works here, and this is no terminal.",
    remedy: "Install `wl-copy`, `xclip` or `xsel`, or run it at a terminal.",
  },
  "no-terminal": {
    fault: "usage",
    happened: "A password is needed, and standard input is not a terminal.",
    remedy: "Pipe the password and pass `--password-stdin`.",
  },
  "not-permitted": {
    fault: "machine",
    exitStatus: 5,
    happened: "The command needs root.",
    remedy: "Run it with `sudo`.",
  },
  "owner-unknown": {
    fault: "machine",
    happened: "`sudo` left a user id that this machine has no account for.",
    remedy: "Run `sudo vnet up` from that account's shell, or pass `--home DIR`.",
  },
  "config-invalid": {
    fault: "config",
    httpStatus: 422,
    happened:
      "A file has mistakes. Each is listed with its key, what was found and what was expected. Also for a `data_dir` that belongs to another cluster.",
    remedy: "Correct the file; [configuration.md](configuration.md) has every key.",
  },
  "client-file-refused": {
    fault: "machine",
    finding: "client",
    hint: "Correct the file and its owner; `vnet zones ls` tells when it is well",
    happened: "`/etc/vnet/client.yaml` is not root's alone, or has mistakes. Nothing in it counts.",
    remedy: "`sudo chown root:root` and `sudo chmod 644` it, or correct what the message names.",
  },
  "zones-damaged": {
    fault: "machine",
    finding: "client",
    hint: "Remove the file, and decide again with `vnet zones allow` and `vnet zones deny`",
    happened:
      "The file with your decisions about zones cannot be read. Until it can, zones that need a grant have none.",
    remedy: "Remove the file that the message names and decide again.",
  },
  "file-missing": {
    fault: "machine",
    happened: "The file does not exist.",
    remedy: "Check the path of `--config`, `VNET_CONFIG` or `--file`.",
  },
  "file-unreadable": {
    fault: "machine",
    happened: "A file cannot be read; the message has the system's reason.",
    remedy: "Check its owner and mode.",
  },
  "file-unwritable": {
    fault: "machine",
    happened: "A file cannot be written.",
    remedy: "Check the folder's owner and mode, and free space on the disk.",
  },
  "directory-unusable": {
    fault: "machine",
    happened: "A folder for vnet's files cannot be created or made private.",
    remedy: "Check who owns it and its parents.",
  },
  "profile-damaged": {
    fault: "machine",
    happened: "A saved login cannot be read.",
    remedy: "Remove the file and run `vnet login` again.",
  },
  "cluster-kind-unknown": {
    fault: "usage",
    happened: "A saved login is to a kind of cluster that this version does not know.",
    remedy: "Install the vnet that made it, or run `vnet logout NAME`.",
  },
  "profile-unknown": {
    fault: "usage",
    happened: "`vnet logout NAME`: there is no login with that name.",
    remedy: "`vnet status` lists the logins.",
  },
  "nothing-known": {
    fault: "usage",
    happened: "`vnet resolve` while vnet is down, and no cluster data is saved yet.",
    remedy: "`vnet login`, then `sudo vnet up` once.",
  },
} as const satisfies Record<string, Refusal>;
