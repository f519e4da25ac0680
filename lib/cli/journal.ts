import type { Context } from "./context.ts";

/** Root's own folder for what must be undone, whoever brought vnet up. */
const JOURNAL_DIR = "/var/lib/vnet";

/** A home of root's own has a journal of its own; nobody else may choose what root will undo. */
export function journalDir(context: Context): string {
  const home = context.globals.home ?? context.env("VNET_HOME");
  return home !== undefined && context.owner.uid === 0
    ? context.paths.configDir.replace(/config$/, "journal")
    : JOURNAL_DIR;
}
