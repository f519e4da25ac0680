/**
 * What the clusters published last, on disk: a start without network serves what was known, and `vnet resolve` works
 * with the daemon down.
 *
 * @module
 */
import { z } from "zod";
import { readFileIfThere, writeFileAtomic } from "../../io/mod.ts";
import { getLogger } from "../../log.ts";
import { type ClusterView, ClusterViewSchema } from "../../plan/mod.ts";

const log = getLogger("client", "state");

const ViewsSchema = z.object({
  schema: z.literal("vnet.views/2"),
  views: z.record(z.string(), ClusterViewSchema),
});

/** Reads the views by profile name; a file that cannot be understood counts as none. */
export async function loadViews(stateDir: string): Promise<ReadonlyMap<string, ClusterView>> {
  const text = await readFileIfThere(viewsPath(stateDir));
  if (text === null) return new Map();
  try {
    return new Map(Object.entries(ViewsSchema.parse(JSON.parse(text)).views));
  } catch (thrown) {
    log.warning("Ignored the saved answers of the clusters", { error: String(thrown) });
    return new Map();
  }
}

/** Writes the views for the next start. */
export async function saveViews(
  stateDir: string,
  views: ReadonlyMap<string, ClusterView>,
): Promise<void> {
  const sorted = [...views].sort(([a], [b]) => a < b ? -1 : 1);
  const content = { schema: "vnet.views/2", views: Object.fromEntries(sorted) };
  await writeFileAtomic(viewsPath(stateDir), `${JSON.stringify(content)}\n`);
}

function viewsPath(stateDir: string): string {
  return `${stateDir}/clusters.json`;
}
