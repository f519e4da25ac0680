/**
 * What the shell can complete, as the client's own files have it: read as they are, so that it is fast.
 *
 * @module
 */
import type { Context } from "./context.ts";
import type { KnownValues } from "./grammar/known_values.ts";

/** Reads what there is. What cannot be read is not there. */
export async function readKnownValues(
  context: Pick<Context, "paths" | "env" | "globals">,
  words: readonly string[],
): Promise<KnownValues> {
  const { paths } = context;
  const views = Object.values(
    record(record(await readJson(`${paths.stateDir}/clusters.json`)).views),
  );
  const apps = views.flatMap((view) => list(record(view).apps)).map(record);
  const names = apps.flatMap(({ publicAddrs }) => texts(publicAddrs));
  const profiles = await readProfiles(`${paths.configDir}/profiles`);
  return {
    app: sorted([...texts(apps.map(({ name }) => name)), ...names]),
    name: sorted(names),
    profile: sorted(profiles.map(({ name }) => name)),
    cluster: sorted([
      ...texts(apps.map(({ cluster }) => cluster)),
      ...texts(profiles.map(({ cluster }) => cluster)),
      ...words[0] === "zones" ? profiles.map(({ name }) => name) : [],
    ]),
    zone: sorted(views.flatMap(zonesOf)),
    // The table of checks is large, and one command has them.
    check: words[0] === "doctor" ? await checkIds() : [],
    topic: words[0] === "help" ? await topics(words) : [],
    ...await resourceWords(context, words),
  };
}

function zonesOf(view: unknown): readonly string[] {
  const { root, leaves } = record(view);
  return [root, ...list(leaves)].flatMap((cluster) =>
    texts(list(record(cluster).zones).map((zone) => record(zone).suffix))
  );
}

async function topics(words: readonly string[]): Promise<readonly string[]> {
  if (words.length > 2) return [];
  const { commandsBelow } = await import("./grammar/help.ts");
  const { TOPIC_NAMES } = await import("./topics/topics.ts");
  return sorted([...commandsBelow([]), ...TOPIC_NAMES, "topics"]);
}

async function resourceWords(
  context: Pick<Context, "env" | "globals">,
  words: readonly string[],
): Promise<Pick<KnownValues, "kind" | "resource">> {
  const { globals: { config } } = context;
  const at = words.indexOf("ctl");
  if (at < 0) return { kind: [], resource: [] };
  const { completeResources } = await import("./ctl/complete.ts");
  // The line being typed may name the server's file itself.
  const named = words[words.indexOf("--config") + 1];
  const file = words.indexOf("--config") < 0 ? config : named;
  return await completeResources({ ...context, globals: { config: file } }, words.slice(at));
}

async function checkIds(): Promise<readonly string[]> {
  const { CHECKS } = await import("../health/mod.ts");
  return CHECKS.map(({ id }) => id);
}

async function readProfiles(
  dir: string,
): Promise<readonly { readonly name: string; readonly cluster: unknown }[]> {
  const files = await Array.fromAsync(Deno.readDir(dir)).catch(() => []);
  return await Promise.all(files.map(async (file) => {
    const { proxy, cluster } = record(await readJson(`${dir}/${file.name}`));
    const { host, port } = record(proxy);
    return { name: port === 443 ? `${host}` : `${host}:${port}`, cluster };
  }));
}

async function readJson(path: string): Promise<unknown> {
  return JSON.parse(await Deno.readTextFile(path).catch(() => "null"));
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function texts(value: unknown): readonly string[] {
  return list(value).filter((text) => typeof text === "string");
}

function sorted(values: readonly string[]): readonly string[] {
  return [...new Set(values)].sort();
}
