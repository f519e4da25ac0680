/**
 * What a login leaves on disk: one folder per proxy, readable by the owner alone.
 *
 * @module
 */
import { z } from "zod";
import { formatHttpProxy, type HttpProxy, parseHttpProxy } from "../../config/mod.ts";
import { VnetError } from "../../error.ts";
import { writeFileAtomic } from "../../io/mod.ts";

const ProfileSchema = z.object({
  schema: z.literal("vnet.profile/1"),
  proxy: z.object({ host: z.string().min(1).max(253), port: z.int().min(1).max(65_535) }),
  cluster: z.string(),
  user: z.string(),
  certificate: z.string(),
  private_key: z.string(),
  host_cas: z.array(z.string()).min(1),
  /** How the proxy's own certificate is verified: `null` by the public roots, else by this CA pin. */
  ca_pin: z.string().nullable(),
  /** The HTTP proxy on the way, as its URL; it may hold a password. */
  http_proxy: z.string().refine((text) => parseHttpProxy(text) !== null).optional(),
  expires: z.iso.datetime(),
});

/** One login: who we are to one cluster, and whom we trust there. */
export interface Profile {
  readonly proxy: { readonly host: string; readonly port: number };
  readonly cluster: string;
  readonly user: string;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly hostCaPems: readonly string[];
  readonly caPin: string | null;
  /** The HTTP proxy on the way to the cluster's, as it was when logging in; `null` for none. */
  readonly httpProxy: HttpProxy | null;
  readonly expiresMs: number;
}

/** The name a profile goes by: its proxy's host, with the port when it is not 443. */
export function profileName(proxy: { readonly host: string; readonly port: number }): string {
  return proxy.port === 443 ? proxy.host : `${proxy.host}:${proxy.port}`;
}

/** Keeps profiles under one folder: one file each, mode 0600. */
export class ProfileStore {
  readonly #dir: string;

  constructor(configDir: string) {
    this.#dir = `${configDir}/profiles`;
  }

  /** Reads every profile, sorted by name. A file that cannot be understood is an error, not a loss. */
  async list(): Promise<readonly Profile[]> {
    const profiles: Profile[] = [];
    for (const file of await listFiles(this.#dir)) profiles.push(await this.#read(file));
    return profiles.sort((a, b) => profileName(a.proxy) < profileName(b.proxy) ? -1 : 1);
  }

  /** Reads the profile of one proxy. @returns `null` if there is none. */
  async find(proxy: Profile["proxy"]): Promise<Profile | null> {
    const path = this.#path(proxy);
    const file = path.slice(this.#dir.length + 1);
    return (await listFiles(this.#dir)).includes(file) ? await this.#read(file) : null;
  }

  async save(profile: Profile): Promise<void> {
    await Deno.mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const text = JSON.stringify(
      {
        schema: "vnet.profile/1",
        proxy: profile.proxy,
        cluster: profile.cluster,
        user: profile.user,
        certificate: profile.certificatePem,
        private_key: profile.privateKeyPem,
        host_cas: [...profile.hostCaPems],
        ca_pin: profile.caPin,
        ...(profile.httpProxy === null ? {} : { http_proxy: formatHttpProxy(profile.httpProxy) }),
        expires: new Date(profile.expiresMs).toISOString(),
      } satisfies z.input<typeof ProfileSchema>,
      null,
      2,
    );
    await writeFileAtomic(this.#path(profile.proxy), `${text}\n`);
  }

  /** Removes one profile. Returns whether there was one. */
  async remove(proxy: Profile["proxy"]): Promise<boolean> {
    try {
      await Deno.remove(this.#path(proxy));
      return true;
    } catch (thrown) {
      if (thrown instanceof Deno.errors.NotFound) return false;
      throw thrown;
    }
  }

  #path(proxy: Profile["proxy"]): string {
    return `${this.#dir}/${encodeURIComponent(proxy.host)}_${proxy.port}.json`;
  }

  async #read(file: string): Promise<Profile> {
    const path = `${this.#dir}/${file}`;
    const parsed = ProfileSchema.safeParse(parseJson(await Deno.readTextFile(path)));
    if (!parsed.success) {
      throw new VnetError("profile-damaged", `Cannot use the saved login "${path}"`, {
        hint: "Remove the file and run `vnet login` again",
        cause: parsed.error,
      });
    }
    const value = parsed.data;
    return {
      proxy: value.proxy,
      cluster: value.cluster,
      user: value.user,
      certificatePem: value.certificate,
      privateKeyPem: value.private_key,
      hostCaPems: value.host_cas,
      caPin: value.ca_pin,
      httpProxy: value.http_proxy === undefined ? null : parseHttpProxy(value.http_proxy),
      expiresMs: Date.parse(value.expires),
    };
  }
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

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
