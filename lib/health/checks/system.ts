/** What the machine must have before vnet can come up. */
import { advice, type Check, command, fail, judged, ok, seen } from "../finding.ts";

const privilege: Check = {
  id: "sys.privilege",
  title: "Privilege",
  severity: "error",
  dependsOn: [],
  judge: ({ program, netAdmin }) => {
    const who = seen("runs as", `uid ${program.uid}, for ${program.owner.name}`);
    if (program.uid !== 0) {
      return ok("not root: checks that need root are skipped", { evidence: [who] });
    }
    return judged(
      netAdmin,
      (has) =>
        has ? ok("root, and may change the network", { evidence: [who] }) : fail(
          "root, but without CAP_NET_ADMIN",
          {
            evidence: [who],
            cause: "this container or service was started without that capability",
            fix: advice("Start it with CAP_NET_ADMIN: `docker run --cap-add NET_ADMIN …`"),
          },
        ),
    );
  },
};

const tun: Check = {
  id: "sys.tun",
  title: "TUN driver",
  severity: "error",
  dependsOn: [],
  judge: ({ program, tunDevice }) =>
    judged(tunDevice, (errno) => {
      if (errno === null) return ok("/dev/net/tun opens");
      const evidence = [seen("opening", `/dev/net/tun: ${errno}`)];
      if (errno === "EACCES" && program.uid !== 0) {
        return ok("/dev/net/tun exists; only root may open it", { evidence });
      }
      if (errno === "EACCES" || errno === "EPERM") {
        return fail("/dev/net/tun cannot be opened", {
          evidence,
          cause: "a device policy forbids it, as in many containers",
          fix: advice("Pass the device into the container: `docker run --device /dev/net/tun …`"),
        });
      }
      return fail("there is no TUN driver", { evidence, fix: command("sudo modprobe tun") });
    }),
};

/** Privilege and the TUN driver. */
export const SYSTEM_CHECKS: readonly Check[] = [privilege, tun];
