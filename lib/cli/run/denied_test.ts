import { match } from "node:assert/strict";
import { explainDenial, type Switches } from "./denied.ts";

const NONE: Switches = { userns: null, most: null, apparmor: null };

Deno.test("explainDenial() names the switch that is off, and the command that turns it", async (t) => {
  const cases: [
    name: string,
    Switches,
    isRoot: boolean,
    errno: string,
    cause: RegExp,
    hint: RegExp,
  ][] = [
    [
      "user.max_user_namespaces=0",
      { ...NONE, most: "0\n" },
      false,
      "ENOSPC",
      /max_user_namespaces is 0/,
      /sysctl user\.max_user_namespaces=15000/,
    ],
    [
      "that holds for root, too",
      { ...NONE, most: "0", userns: "0" },
      true,
      "ENOSPC",
      /max_user_namespaces is 0/,
      /sysctl user\.max/,
    ],
    [
      "Debian's switch",
      { ...NONE, most: "15000", userns: "0\n" },
      false,
      "EPERM",
      /unprivileged_userns_clone is 0/,
      /sysctl kernel\.unprivileged_userns_clone=1/,
    ],
    [
      "Ubuntu's AppArmor",
      { userns: "1", most: "15000", apparmor: "1\n" },
      false,
      "EACCES",
      /AppArmor/,
      /apparmor_restrict_unprivileged_userns=0/,
    ],
    [
      "root is not kept by either",
      { userns: "0", most: "9", apparmor: "1" },
      true,
      "EPERM",
      /does not allow namespaces here \(EPERM\)/,
      /seccomp=unconfined/,
    ],
    ["too many", { ...NONE, most: "3" }, false, "ENOSPC", /too many/, /max_net_namespaces/],
    ["a container, a chroot", NONE, false, "EPERM", /\(EPERM\)/, /container.*chroot/],
  ];
  for (const [name, switches, isRoot, errno, cause, hint] of cases) {
    await t.step(name, () => {
      const denial = explainDenial(errno, switches, isRoot);
      match(denial.cause, cause);
      match(denial.hint, hint);
    });
  }
});
