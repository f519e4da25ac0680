/**
 * Where `deno compile` would get denort, the runtime without the command line, from. The npm registry does not
 * have it.
 *
 * @module
 */

/** What {@linkcode findDenort} asks the machine. */
export interface DenortQuestions {
  readonly env: (name: string) => string | undefined;
  readonly exists: (path: string) => Promise<boolean>;
  /** Whether a URL can be had within a short time. */
  readonly reachable: (url: string) => Promise<boolean>;
  /** The runtime's cache folder, as `deno info` says. */
  readonly denoDir: string;
  readonly version: string;
  readonly target: string;
}

/** A way to denort. */
export type DenortSource =
  | { readonly kind: "given"; readonly path: string }
  | { readonly kind: "cached"; readonly path: string }
  | { readonly kind: "download"; readonly url: string };

/** Looks in the order in which `deno compile` does. @returns The first way that is open, or `null`. */
export async function findDenort(ask: DenortQuestions): Promise<DenortSource | null> {
  const given = ask.env("DENORT_BIN");
  if (given !== undefined && given !== "") {
    return await ask.exists(given) ? { kind: "given", path: given } : null;
  }
  const archive = `release/v${ask.version}/denort-${ask.target}.zip`;
  const cached = `${ask.denoDir}/dl/${archive}`;
  if (await ask.exists(cached)) return { kind: "cached", path: cached };
  const url = `https://dl.deno.land/${archive}`;
  return await ask.reachable(url) ? { kind: "download", url } : null;
}

const REACH_LIMIT_MS = 5_000;

/** The questions, put to this machine. */
export async function askMachine(): Promise<DenortQuestions> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  return {
    env: (name) => Deno.env.get(name),
    exists: (path) => Deno.stat(path).then((s) => s.isFile, () => false),
    reachable: async (url) => {
      try {
        const signal = AbortSignal.timeout(REACH_LIMIT_MS);
        const { ok } = await fetch(url, { method: "HEAD", signal });
        return ok;
      } catch {
        // No name, no route, no answer in time: all mean that it cannot be had here.
        return false;
      }
    },
    denoDir: JSON.parse(new TextDecoder().decode(stdout)).denoDir,
    version: Deno.version.deno,
    target: Deno.build.target,
  };
}
