/**
 * Logging in and out, whatever kind of cluster it is.
 *
 * @module
 */
import { type HostPort, parseHostPort } from "../../config/mod.ts";
import { UsageError } from "../../error.ts";
import { getLogger } from "../../log.ts";
import type { ClusterDriver, LoginRequest } from "./driver.ts";
import { DRIVERS, openLink } from "./drivers.ts";
import { type Profile, profileName, ProfileStore } from "./profile.ts";

const log = getLogger("client", "login");

const DEFAULT_PORT = 443;

interface LoginOptions extends Omit<LoginRequest, "earlier"> {
  readonly configDir: string;
  readonly signal: AbortSignal;
  /** Those of this program, if not given. */
  readonly drivers?: readonly ClusterDriver[];
}

/** Reads `HOST[:PORT]`, or the `https://` address as a browser shows it. @throws UsageError */
export function parseProxy(text: string): HostPort {
  const parsed = parseHostPort(text.replace(/^https:\/\/([^/?#]*)\/?$/i, "$1"), DEFAULT_PORT);
  if (parsed !== null) return parsed;
  throw new UsageError("usage", `Cannot read the proxy "${text}"`, {
    hint: "Use HOST, HOST:PORT or https://HOST, for example proxy.example.com:443",
  });
}

/** Logs in and saves the profile. @throws what the driver throws */
export async function login(options: LoginOptions): Promise<Profile> {
  const { configDir, signal, drivers = DRIVERS, ...request } = options;
  const store = new ProfileStore(configDir);
  const earlier = await store.find(request.proxy);
  const driver = await chooseDriver(drivers, { ...request, earlier }, signal);
  const profile = await driver.login({ ...request, earlier }, signal);
  await store.save(profile);
  return profile;
}

/** The one that made the login before; else the first that finds a cluster of its kind there. */
async function chooseDriver(
  drivers: readonly ClusterDriver[],
  request: LoginRequest,
  signal: AbortSignal,
): Promise<ClusterDriver> {
  const { earlier } = request;
  const [first, ...others] = drivers;
  const known = drivers.find(({ kind }) => kind === earlier?.kind);
  if (known !== undefined) return known;
  if (first === undefined) throw new TypeError("There is no driver");
  for (const driver of others.length === 0 ? [] : drivers) {
    if (await driver.discover(request, signal).then(() => true, () => false)) return driver;
  }
  return first; // Its own words on what is wrong are as good as any.
}

interface LogoutOptions {
  readonly configDir: string;
  /** A profile's name, "" for the only one there is, `null` for all. */
  readonly which: string | null;
  readonly nowMs: number;
  readonly signal: AbortSignal;
  readonly drivers?: readonly ClusterDriver[];
}

/**
 * Forgets logins; the clusters are told, if they can be reached.
 *
 * @returns The names of those that were forgotten.
 * @throws UsageError when the name is none, or "" is not clear.
 */
export async function logout(options: LogoutOptions): Promise<readonly string[]> {
  const store = new ProfileStore(options.configDir);
  const chosen = choose(await store.list(), options.which);
  for (const profile of chosen) {
    if (profile.expiresMs > options.nowMs) await tellCluster(profile, options);
    await store.remove(profile.proxy);
  }
  return chosen.map((profile) => profileName(profile.proxy));
}

function choose(profiles: readonly Profile[], which: string | null): readonly Profile[] {
  if (which === null) return profiles;
  if (which === "") {
    if (profiles.length <= 1) return profiles;
    throw new UsageError("usage", "Cannot tell which login to forget: there are several", {
      hint: `Name one of ${
        profiles.map((profile) => profileName(profile.proxy)).join(", ")
      }, or --all`,
    });
  }
  const found = profiles.filter((profile) =>
    profileName(profile.proxy) === which || profile.proxy.host === which
  );
  if (found.length > 0) return found;
  throw new UsageError("profile-unknown", `Cannot forget "${which}": you are not logged in there`, {
    hint: "Run `vnet status` to see your logins",
  });
}

async function tellCluster(
  profile: Profile,
  { drivers = DRIVERS, signal }: LogoutOptions,
): Promise<void> {
  try {
    const link = openLink(drivers, profile);
    await link.logout(signal).finally(() => link.close());
  } catch (thrown) {
    log.warning("The cluster could not be told of the logout", { error: String(thrown) });
  }
}
