/**
 * Where root lets the ranges of a vnet lie that root brings up: what the helper's file says, what was typed as root,
 * and what was agreed to as root. The owner of the daemon, who may be anybody's program, has no say in it.
 *
 * @module
 */
import { dirname } from "node:path/posix";
import { z } from "zod";
import { MAX_ALLOWED_RANGES, readVirtualRange } from "../../config/mod.ts";
import { readFileIfThere, writeFileAtomic } from "../../io/mod.ts";
import { parseJson } from "../../json.ts";
import { equalPrefix, formatPrefix, parsePrefix, type Prefix } from "../../ip/mod.ts";
import type { Context } from "../context.ts";
import { journalDir } from "../journal.ts";
import { readHelperPolicy } from "../service/policy.ts";

/** What root said of one owner's vnet. */
export interface RootsWord {
  /** What was typed as `--cidr` when it was brought up last. */
  readonly cidr: Prefix | null;
  /** The ranges of clusters that root agreed to when asked. */
  readonly agreed: readonly Prefix[];
}

const range = z.string().refine((text) => readVirtualRange(text).kind === "range");

const WordSchema = z.object({
  schema: z.literal("vnet.allowed_ranges/1"),
  cidr: range.nullable(),
  agreed: z.array(range).max(MAX_ALLOWED_RANGES),
});

const NOTHING: RootsWord = { cidr: null, agreed: [] };

/**
 * Notes what root typed, and lists all that root allows.
 *
 * @param typed What `--cidr` is; `null` if it was not given.
 * @param keepsCidr Whether what was typed the last time holds where nothing was typed now, as for a restart.
 */
export async function rootsRanges(
  context: Context,
  { typed, keepsCidr }: { readonly typed: Prefix | null; readonly keepsCidr: boolean },
): Promise<readonly Prefix[]> {
  if (Deno.uid() !== 0) return [];
  const before = await readWord(pathOf(context));
  const cidr = typed ?? (keepsCidr ? before.cidr : null);
  const isNew = cidr === null || before.cidr === null
    ? cidr !== before.cidr
    : !equalPrefix(cidr, before.cidr);
  if (isNew) await writeWord(pathOf(context), { ...before, cidr });
  const { ranges } = await readHelperPolicy();
  return [...ranges, ...before.agreed, ...(cidr === null ? [] : [cidr])];
}

/** What root allowed once and for all, for whoever only asks; `null` for somebody who cannot know. */
export async function agreedRanges(context: Context): Promise<readonly Prefix[] | null> {
  if (Deno.uid() !== 0) return null;
  const { agreed } = await readWord(pathOf(context));
  return [...(await readHelperPolicy()).ranges, ...agreed];
}

/** Notes that root agreed to a range of a cluster; the latest are kept. */
export async function agreeAsRoot(context: Context, range: Prefix): Promise<void> {
  const before = await readWord(pathOf(context));
  const others = before.agreed.filter((other) => !equalPrefix(other, range));
  const agreed = [...others, range].slice(-MAX_ALLOWED_RANGES);
  await writeWord(pathOf(context), { ...before, agreed });
}

/** Reads what root said. @returns Nothing where there is none, or none that can be understood. */
export async function readWord(path: string): Promise<RootsWord> {
  const text = await readFileIfThere(path);
  const parsed = WordSchema.safeParse(text === null ? null : parseJson(text));
  if (!parsed.success) return NOTHING;
  const { cidr, agreed } = parsed.data;
  return {
    cidr: cidr === null ? null : parsePrefix(cidr),
    agreed: agreed.map(parsePrefix),
  };
}

/** Writes what {@link readWord} reads; only root can read it, and change it. */
export async function writeWord(path: string, { cidr, agreed }: RootsWord): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true, mode: 0o711 }); // Its owner's log lies there, too.
  const content: z.input<typeof WordSchema> = {
    schema: "vnet.allowed_ranges/1",
    cidr: cidr && formatPrefix(cidr),
    agreed: agreed.map(formatPrefix),
  };
  await writeFileAtomic(path, `${JSON.stringify(content)}\n`);
}

function pathOf(context: Context): string {
  return `${journalDir(context)}/ranges-${context.owner.uid}.json`;
}
