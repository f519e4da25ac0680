/**
 * What is known about zones, on disk: the user's decisions, the administrator's, and what TXT records said last.
 *
 * @module
 */
import { dirname } from "node:path";
import { z } from "zod";
import { type ClientGrant, parseClientFile } from "../../config/mod.ts";
import { type DomainName, isDomainName } from "../../dns/mod.ts";
import { ConfigError, describeError, VnetError } from "../../error.ts";
import { ensurePrivateDirectory, readFileIfThere, writeFileAtomic } from "../../io/mod.ts";
import { parseJson } from "../../json.ts";
import { type AdminGrant, MAX_WORDS, type ZoneRecord, type ZoneWord } from "../../plan/mod.ts";
import type { Finding } from "../daemon/findings.ts";
import type { Paths } from "../paths.ts";

/** The administrator's file. */
export const CLIENT_FILE = "/etc/vnet/client.yaml";

/** Who may have written it. */
const ROOT = 0;
/** Writable by the group, or by others. */
const OTHERS_WRITE = 0o022;
const MAX_FILE_BYTES = 1024 * 1024;

/** How many zones are asked about and remembered. */
export const MAX_RECORDS = 256;

const suffix = z.string().refine(isDomainName).transform((text) => text as DomainName);
const time = z.iso.datetime().transform((text) => Date.parse(text));

const WordsSchema = z.object({
  schema: z.literal("vnet.zone_words/1"),
  words: z.array(z.object({
    suffix,
    proxy: z.string().nullable(),
    cluster: z.string().nullable(),
    verdict: z.enum(["allow", "deny", "later"]),
    since: time,
  })).max(MAX_WORDS),
});

const RecordsSchema = z.object({
  schema: z.literal("vnet.zone_records/1"),
  records: z.array(z.object({
    suffix,
    names: z.array(z.object({ name: z.string().max(253), since: time })).max(16),
    answered: time.nullable(),
    asked: time,
    failure: z.string().max(1024).nullable(),
  })).max(MAX_RECORDS),
});

/** Reads the user's decisions. @throws VnetError `zones-damaged`, OsError `file-unreadable` */
export async function readWords({ configDir }: Pick<Paths, "configDir">): Promise<
  readonly ZoneWord[]
> {
  const path = wordsPath(configDir);
  const text = await readFileIfThere(path);
  if (text === null) return [];
  const parsed = WordsSchema.safeParse(parseJson(text));
  if (parsed.success) {
    return parsed.data.words.map(({ proxy, since, ...word }) => ({
      ...word,
      profile: proxy,
      sinceMs: since,
    }));
  }
  throw new VnetError("zones-damaged", `Cannot use your decisions about zones in "${path}"`, {
    hint: "Remove the file, and decide again with `vnet zones allow` and `vnet zones deny`",
    cause: parsed.error,
  });
}

/** Writes them. @throws OsError `file-unwritable` */
export async function writeWords(
  { configDir }: Pick<Paths, "configDir">,
  words: readonly ZoneWord[],
): Promise<void> {
  const file = {
    schema: "vnet.zone_words/1",
    words: words.map(({ suffix, profile, cluster, verdict, sinceMs }) => ({
      suffix,
      proxy: profile,
      cluster,
      verdict,
      since: new Date(sinceMs).toISOString(),
    })),
  };
  await ensurePrivateDirectory(configDir);
  await writeFileAtomic(wordsPath(configDir), `${JSON.stringify(file, null, 2)}\n`);
}

/** Reads what TXT records said last; a file that cannot be understood counts as none. */
export async function readRecords(
  { stateDir }: Pick<Paths, "stateDir">,
): Promise<readonly ZoneRecord[]> {
  const text = await readFileIfThere(recordsPath(stateDir)).catch(() => null);
  const parsed = RecordsSchema.safeParse(text === null ? null : parseJson(text));
  if (!parsed.success) return [];
  return parsed.data.records.map(({ suffix, names, answered, asked, failure }) => ({
    suffix,
    names: names.map(({ name, since }) => ({ name, sinceMs: since })),
    answeredMs: answered,
    askedMs: asked,
    failure,
  }));
}

/** Writes it. @throws OsError `file-unwritable` */
export async function writeRecords(
  { stateDir }: Pick<Paths, "stateDir">,
  records: readonly ZoneRecord[],
): Promise<void> {
  const date = (ms: number) => new Date(ms).toISOString();
  const file = {
    schema: "vnet.zone_records/1",
    records: records.map(({ suffix, names, answeredMs, askedMs, failure }) => ({
      suffix,
      names: names.map(({ name, sinceMs }) => ({ name, since: date(sinceMs) })),
      answered: answeredMs === null ? null : date(answeredMs),
      asked: date(askedMs),
      failure,
    })),
  };
  await writeFileAtomic(recordsPath(stateDir), `${JSON.stringify(file)}\n`);
}

/** What the administrator's file gives, or why nothing in it counts. */
export interface AdminFile {
  readonly grants: readonly AdminGrant[];
  readonly refusal: Finding | null;
}

/**
 * Reads the administrator's file; none is as good as an empty one.
 *
 * @param owner Who may own it and its folder: root, but in a test.
 */
export async function readAdminFile(path = CLIENT_FILE, owner = ROOT): Promise<AdminFile> {
  try {
    const text = await readTrusted(path, owner);
    if (text === null) return { grants: [], refusal: null };
    return { grants: parseClientFile(text, path).map(grantOf), refusal: null };
  } catch (thrown) {
    return { grants: [], refusal: refusalOf(path, thrown) };
  }
}

function grantOf({ suffix, proxy }: ClientGrant): AdminGrant {
  return { suffix: suffix as DomainName, proxy };
}

/** What is opened is what is looked at: nobody puts another file there in between. */
async function readTrusted(path: string, owner: number): Promise<string | null> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path, { read: true });
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return null;
    throw thrown;
  }
  using opened = file;
  const objection = objectionTo(await opened.stat(), owner) ??
    objectionTo(await Deno.stat(dirname(path)), owner, "its folder ");
  if (objection !== null) throw new Error(objection);
  const buffer = new Uint8Array(MAX_FILE_BYTES + 1);
  let used = 0;
  for (let read: number | null = 0; read !== null && used < buffer.length;) {
    read = await opened.read(buffer.subarray(used));
    used += read ?? 0;
  }
  if (used > MAX_FILE_BYTES) throw new Error("it has more than 1 MiB");
  return new TextDecoder("utf-8", { fatal: true }).decode(buffer.subarray(0, used));
}

/** Says why what a file says does not count, as a phrase; `null` if nothing speaks against it. */
export function objectionTo(
  { uid, mode, isFile, isDirectory }: Pick<
    Deno.FileInfo,
    "uid" | "mode" | "isFile" | "isDirectory"
  >,
  owner: number,
  what = "",
): string | null {
  if (!isFile && !isDirectory) return `${what}is no plain file`;
  if (uid !== owner) return `${what}belongs to user ${uid}, not to root`;
  if (((mode ?? OTHERS_WRITE) & OTHERS_WRITE) !== 0) return `${what}can be written by others`;
  return null;
}

function refusalOf(path: string, thrown: unknown): Finding {
  const why = thrown instanceof ConfigError
    ? thrown.mistakes.map(({ path, found, expected }) =>
      `${path || "(document)"}: found ${found}, expected ${expected}`
    ).join("; ")
    : thrown instanceof Error && thrown.constructor === Error
    ? thrown.message
    : describeError(thrown);
  return {
    code: "client-file-refused",
    message: `Nothing in "${path}" counts: ${why}`,
    hint: `Have root correct it: \`sudo chown root:root ${path}\`, \`sudo chmod 644 ${path}\``,
  };
}

function wordsPath(configDir: string): string {
  return `${configDir}/zones.json`;
}

function recordsPath(stateDir: string): string {
  return `${stateDir}/zones.json`;
}
