/**
 * Why this machine lets nobody make namespaces, and what allows it. Pure.
 *
 * @module
 */

/** What the kernel's switches say; `null` for one that this kernel does not have. */
export interface Switches {
  /** Debian's: kernel.unprivileged_userns_clone. */
  readonly userns: string | null;
  /** user.max_user_namespaces. */
  readonly most: string | null;
  /** Ubuntu's: kernel.apparmor_restrict_unprivileged_userns. */
  readonly apparmor: string | null;
}

/** The cause, to follow a colon, and what helps. */
interface Denial {
  readonly cause: string;
  readonly hint: string;
}

/** Where the switches are, below /proc/sys. */
export const SWITCHES: Readonly<Record<keyof Switches, string>> = {
  userns: "kernel/unprivileged_userns_clone",
  most: "user/max_user_namespaces",
  apparmor: "kernel/apparmor_restrict_unprivileged_userns",
};

/** @param errno What the kernel said. */
export function explainDenial(errno: string, switches: Switches, isRoot: boolean): Denial {
  if (isZero(switches.most)) {
    return {
      cause: "this machine allows no user namespaces (user.max_user_namespaces is 0)",
      hint: "Allow them: `sudo sysctl user.max_user_namespaces=15000`",
    };
  }
  if (!isRoot && isZero(switches.userns)) {
    return {
      cause: "only root may make user namespaces (kernel.unprivileged_userns_clone is 0)",
      hint: "Allow them: `sudo sysctl kernel.unprivileged_userns_clone=1`",
    };
  }
  if (!isRoot && Number(switches.apparmor ?? 0) > 0) {
    return {
      cause:
        "AppArmor keeps programs from user namespaces (kernel.apparmor_restrict_unprivileged_userns is 1)",
      hint: "Allow them: `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`, " +
        "or give vnet an AppArmor profile with `userns,`",
    };
  }
  if (errno === "ENOSPC" || errno === "EUSERS") {
    return {
      cause: "there are too many namespaces on this machine",
      hint:
        "Allow more: `sudo sysctl user.max_user_namespaces=15000 user.max_net_namespaces=15000`",
    };
  }
  return {
    cause: `the kernel does not allow namespaces here (${errno})`,
    hint: "In a container, allow them: `--security-opt seccomp=unconfined` or " +
      "`--cap-add SYS_ADMIN`; in a chroot they are not to be had. `vnet connect` needs none",
  };
}

function isZero(value: string | null): boolean {
  return value !== null && value.trim() === "0";
}
