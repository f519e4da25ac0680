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
    remedy: "It may have been deleted by hand: `sudo vnet restart`.",
  },
  "link-failed": {
    fault: "machine",
    happened: "The device cannot be changed.",
    remedy: "The message has the system's reason.",
  },
  "link-restored": {
    fault: "machine",
    finding: "helper",
    happened: "Another program removed addresses or routes of the device; vnet put them back.",
    remedy: "No action needed.",
  },
  "link-contested": {
    fault: "machine",
    finding: "helper",
    hint: "Configure your network manager to ignore vnet* devices",
    happened: "Another program keeps removing addresses or routes of the device.",
    remedy: "Configure your network manager to ignore `vnet*` devices.",
  },
  "link-unlimited": {
    fault: "machine",
    finding: "helper",
    hint: "Use a kernel with sch_ingress and cls_bpf, often in linux-modules-extra",
    happened: "The kernel does not check the sources of what comes out of the device.",
    remedy: "Use a kernel with `sch_ingress` and `cls_bpf`, often in `linux-modules-extra`.",
  },
  "address-exists": {
    fault: "machine",
    happened: "The address is already set.",
    remedy: "`ip address` shows it; find out which program set it.",
  },
  "address-failed": {
    fault: "machine",
    happened: "An address cannot be set or removed.",
    remedy: "The message has the system's reason.",
  },
  "route-exists": {
    fault: "machine",
    happened: "The route is already set.",
    remedy: "`ip route show table all` shows it; find out which program set it.",
  },
  "route-failed": {
    fault: "machine",
    happened: "A route cannot be set or removed.",
    remedy: "The message has the system's reason.",
  },
} as const satisfies Record<string, Refusal>;
