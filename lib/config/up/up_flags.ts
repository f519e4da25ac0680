/**
 * The words of the options that `up` and `restart` take, for whoever writes or reads a command line. It imports
 * nothing: every command waits for it.
 *
 * @module
 */

/** Every option by the setting it gives, in the order in which they are written. */
export const UP_FLAGS = {
  cidr: "--cidr",
  dns: "--dns",
  link: "--link",
  share: "--share",
  containers: "--containers",
} as const;

/** Whether containers behind this machine's NAT may connect. */
export const CONTAINER_POLICIES = ["allow", "deny"] as const;
export type ContainerPolicy = typeof CONTAINER_POLICIES[number];

/** What holds of the two choices where nobody said otherwise. */
export const UP_CHOICES = { dns: "auto", containers: "deny" } as const;

/** Options as a person wrote them; what is absent or empty was not given. */
export interface UpOptions {
  readonly cidr?: string | undefined;
  readonly dns?: string | undefined;
  readonly link?: string | undefined;
  readonly share?: readonly string[];
  readonly containers?: string | undefined;
}
