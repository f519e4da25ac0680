import type { Refusal } from "../refusal.ts";

/** The TUN device, its addresses and routes. */
export const LINK = {
  "tun-missing": {
    fault: "machine",
    happened: "There is no `/dev/net/tun`, or the kernel has no TUN driver.",
    remedy: "`sudo modprobe tun`; in a container, pass `/dev/net/tun` into it.",
  },
  "tun-open-denied": {
    fault: "machine",
    exitStatus: 5,
    happened: "The TUN device may not be opened.",
    remedy: "Run with `sudo`; in a container, give it `CAP_NET_ADMIN`.",
  },
  "tun-busy": {
    fault: "machine",
    happened: "Another program already uses the device of that name.",
    remedy: "Choose another with `--link`, or stop the other program.",
  },
  "tun-failed": {
    fault: "machine",
    happened: "The TUN device cannot be set up.",
    remedy: "The message has the system's reason.",
  },
  "tun-lost": {
    fault: "machine",
    happened: "The TUN device was taken away while vnet was up.",
    remedy: "`sudo vnet up`.",
  },
  "net-admin-denied": {
    fault: "machine",
    happened: "`CAP_NET_ADMIN` is missing.",
    remedy: "Run with `sudo`.",
  },
  "raw-denied": {
    fault: "machine",
    happened: "`CAP_NET_RAW` is missing.",
    remedy: "Run with `sudo`; in a container, give it `CAP_NET_RAW`.",
  },
  "link-unknown": {
    fault: "machine",
    happened: "There is no device of that name.",
    remedy: "Was it deleted by hand? `sudo vnet restart`.",
  },
  "link-failed": {
    fault: "machine",
    happened: "The device cannot be changed.",
    remedy: "The message has the system's reason.",
  },
  "link-restored": {
    fault: "machine",
    finding: "helper",
    happened: "Another program took addresses or routes of the device away; they are back.",
    remedy: "Nothing.",
  },
  "link-contested": {
    fault: "machine",
    finding: "helper",
    hint: "Have what manages the network leave vnet's devices alone",
    happened: "Another program keeps taking addresses or routes of the device away.",
    remedy: "Have what manages the network leave `vnet*` devices alone.",
  },
  "address-exists": {
    fault: "machine",
    happened: "The address is already set.",
    remedy: "Who set it? `ip address`.",
  },
  "address-failed": {
    fault: "machine",
    happened: "An address cannot be set or removed.",
    remedy: "The message has the system's reason.",
  },
  "route-exists": {
    fault: "machine",
    happened: "The route is already set.",
    remedy: "Who set it? `ip route show table all`.",
  },
  "route-failed": {
    fault: "machine",
    happened: "A route cannot be set or removed.",
    remedy: "The message has the system's reason.",
  },
} as const satisfies Record<string, Refusal>;
