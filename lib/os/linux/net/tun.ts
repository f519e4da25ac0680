/**
 * Opening a TUN device. It lives as long as its descriptor: a killed process leaves none behind.
 *
 * @module
 */
import type { Tun } from "../../root_machine.ts";
import { linkIndex } from "./netlink.ts";
import { type Act, cString, ensure, errnoName, type Shim, textOf } from "../shim.ts";

/**
 * Creates a TUN device, with offloads if the kernel has them. It is down and has no address yet.
 *
 * @throws {OsError} `tun-busy` if the name is taken, `tun-open-denied` without CAP_NET_ADMIN,
 *   `tun-missing` without /dev/net/tun, `tun-failed` else.
 */
export function openTun(
  shim: Shim,
  { name, vnetHeader = true }: { readonly name: string; readonly vnetHeader?: boolean },
): Tun {
  const out = new Uint8Array(16);
  const open = (header: number) =>
    shim.symbols.vnet_tun_open(cString(name), header, out, out.length);
  let fd = open(vnetHeader ? 1 : 0);
  const plain = !vnetHeader || (fd < 0 && LACKS_OFFLOADS.has(errnoName(shim, -fd)));
  if (vnetHeader && plain) fd = open(0);
  ensure(shim, fd, actOf(name));
  const inForce = textOf(out);
  return { fd, name: inForce, ifindex: linkIndex(shim, inForce), vnetHeader: !plain };
}

/** What a kernel says that does not know TUNSETVNETHDRSZ or TUNSETOFFLOAD. */
const LACKS_OFFLOADS: ReadonlySet<string> = new Set(["EINVAL", "ENOTTY", "EOPNOTSUPP"]);

function actOf(name: string): Act {
  return {
    act: `open TUN device "${name}"`,
    call: "TUNSETIFF",
    code: "tun-failed",
    cases: {
      EBUSY: {
        code: "tun-busy",
        state: "another program has it",
        hint: "Choose another name or stop the other program",
      },
      EPERM: { code: "tun-open-denied", state: "CAP_NET_ADMIN is missing", hint: "Run with sudo" },
      EACCES: {
        code: "tun-open-denied",
        state: "/dev/net/tun cannot be opened",
        hint: "Run with sudo",
      },
      ENOENT: {
        code: "tun-missing",
        state: "/dev/net/tun does not exist",
        hint: "Run `sudo modprobe tun`; in a container, pass /dev/net/tun into it",
      },
      ENODEV: {
        code: "tun-missing",
        state: "the kernel has no TUN driver",
        hint: "Run `sudo modprobe tun`",
      },
    },
  };
}
