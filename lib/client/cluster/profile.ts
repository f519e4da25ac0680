/**
 * What a login leaves on disk: one file per proxy, readable by the owner alone.
 *
 * @module
 */
import { z } from "zod";
import type { HostPort } from "../../config/mod.ts";
import { VnetError } from "../../error.ts";
import { parseJson } from "../../json.ts";
import { writeFileAtomic } from "../../io/mod.ts";

/** The kind that profiles were of before they said so. */
const FIRST_KIND = "vnet";

const common = {
  proxy: z.object({ host: z.string().min(1).max(253), port: z.int().min(1).max(65_535) }),
  cluster: z.string(),
  user: z.string(),
  expires: z.iso.datetime(),
  auth_connector: z.string().optional(),
};

const ProfileSchema = z.object({
  schema: z.literal("vnet.profile/2"),
  kind: z.string().regex(/^[a-z][a-z0-9-]*$/),
  ...common,
  credentials: z.record(z.string(), z.unknown()),
});

/** The form before clusters had kinds: the credentials stood beside the rest. */
const FirstProfileSchema = z.looseObject({ schema: z.literal("vnet.profile/1"), ...common })
  .transform((
    { proxy, cluster, user, expires, schema: _, auth_connector: _by, ...credentials },
  ) => ({
    kind: FIRST_KIND,
    proxy,
    cluster,
    user,
    expires,
    auth_connector: undefined,
    credentials,
  }));

/** One login: who we are to one cluster. */
export interface Profile {
  /** The kind of cluster: which driver can use it. */
  readonly kind: string;
  readonly proxy: HostPort;
  readonly cluster: string;
  readonly user: string;
  readonly expiresMs: number;
  /** The identity provider that it was made with; absent where it was a password. */
  readonly connector?: string;
  /** What the driver keeps of the login, keys included, as JSON. Nobody else reads it. */
  readonly credentials: Readonly<Record<string, unknown>>;
}

/** The name a profile goes by: its proxy's host, with the port when it is not 443. */
export function profileName(proxy: HostPort): string {
  return proxy.port === 443 ? proxy.host : `${proxy.host}:${proxy.port}`;
}

/** Whether two profiles are one login; a new login of the same user is another. */
export function sameLogin(a: Profile, b: Profile): boolean {
  return render(a) === render(b);
}

/** Keeps profiles under one folder: one file each, mode 0600. */
export class ProfileStore {
  readonly #dir: string;

  constructor(configDir: string) {
    this.#dir = `${configDir}/profiles`;
  }

  /**
   * Reads every profile, sorted by name. A file that cannot be understood is an error, not a loss.
   *
   * @throws VnetError `profile-damaged`
   */
  async list(): Promise<readonly Profile[]> {
    const profiles: Profile[] = [];
    for (const file of await listFiles(this.#dir)) profiles.push(await this.#read(file));
    return profiles.sort((a, b) => profileName(a.proxy) < profileName(b.proxy) ? -1 : 1);
  }

  /** Reads the profile of one proxy. @returns `null` if there is none. */
  async find(proxy: HostPort): Promise<Profile | null> {
    const path = this.#path(proxy);
    const file = path.slice(this.#dir.length + 1);
    return (await listFiles(this.#dir)).includes(file) ? await this.#read(file) : null;
  }

  async save(profile: Profile): Promise<void> {
    await Deno.mkdir(this.#dir, { recursive: true, mode: 0o700 });
    await writeFileAtomic(this.#path(profile.proxy), `${render(profile)}\n`);
  }

  /** Removes one profile. Returns whether there was one. */
  async remove(proxy: HostPort): Promise<boolean> {
    try {
      await Deno.remove(this.#path(proxy));
      return true;
    } catch (thrown) {
      if (thrown instanceof Deno.errors.NotFound) return false;
      throw thrown;
    }
  }

  #path(proxy: HostPort): string {
    return `${this.#dir}/${encodeURIComponent(proxy.host)}_${proxy.port}.json`;
  }

  async #read(file: string): Promise<Profile> {
    const path = `${this.#dir}/${file}`;
    const parsed = z.union([ProfileSchema, FirstProfileSchema])
      .safeParse(parseJson(await Deno.readTextFile(path)));
    if (!parsed.success) {
      throw new VnetError("profile-damaged", `Cannot use the saved login "${path}"`, {
        hint: "Remove the file and run `vnet login` again",
        cause: parsed.error,
      });
    }
    const { kind, proxy, cluster, user, expires, credentials, auth_connector } = parsed.data;
    const by = auth_connector === undefined ? {} : { connector: auth_connector };
    return { kind, proxy, cluster, user, expiresMs: Date.parse(expires), ...by, credentials };
  }
}

/** The error of a login whose credentials cannot be read. */
export function damagedLogin({ proxy }: Profile, cause: unknown): VnetError {
  const name = profileName(proxy);
  return new VnetError("profile-damaged", `Cannot use the saved login to "${name}"`, {
    hint: `Run \`vnet logout ${name}\` and log in again`,
    cause,
  });
}

function render(
  { kind, proxy, cluster, user, expiresMs, connector, credentials }: Profile,
): string {
  const file: z.input<typeof ProfileSchema> = {
    schema: "vnet.profile/2",
    kind,
    proxy: { host: proxy.host, port: proxy.port },
    cluster,
    user,
    expires: new Date(expiresMs).toISOString(),
    ...(connector === undefined ? {} : { auth_connector: connector }),
    credentials: { ...credentials },
  };
  return JSON.stringify(file, null, 2);
}

async function listFiles(dir: string): Promise<readonly string[]> {
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(dir)) {
      if (entry.isFile && entry.name.endsWith(".json")) names.push(entry.name);
    }
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
  }
  return names.sort();
}
