import { VnetError } from "../../error.ts";
import type { ClusterDriver, ClusterLink, Surroundings } from "./driver.ts";
import { ownDriver } from "./own/mod.ts";
import { type Profile, profileName } from "./profile.ts";

/** The kinds of cluster that this program can use, the first for new logins. */
export const DRIVERS: readonly ClusterDriver[] = [ownDriver()];

/** As {@link openLink}; a login that cannot be used gets a link that says why to whoever asks it anything. */
export function openAnyLink(
  drivers: readonly ClusterDriver[],
  profile: Profile,
  around?: Surroundings,
): ClusterLink {
  try {
    return openLink(drivers, profile, around);
  } catch (thrown) {
    const say = () => Promise.reject(thrown);
    return {
      recall: () => {},
      networkChanged: () => {},
      findStranger: () => Promise.resolve(null),
      view: say,
      // deno-lint-ignore require-yield -- there is nothing to yield
      async *watch() {
        throw thrown;
      },
      right: say,
      open: say,
      reach: say,
      logout: say,
      retire: () => Promise.resolve(),
      close: () => Promise.resolve(),
    };
  }
}

/** Begins to use a login by the driver of its kind. @throws VnetError `cluster-kind-unknown`, `profile-damaged` */
export function openLink(
  drivers: readonly ClusterDriver[],
  profile: Profile,
  around?: Surroundings,
): ClusterLink {
  const driver = drivers.find(({ kind }) => kind === profile.kind);
  if (driver !== undefined) return driver.open(profile, around);
  const name = profileName(profile.proxy);
  throw new VnetError(
    "cluster-kind-unknown",
    `Cannot use the login to "${name}": it is of the kind "${profile.kind}", which this version does not know`,
    { hint: `Install the vnet that made it, or run \`vnet logout ${name}\`` },
  );
}
