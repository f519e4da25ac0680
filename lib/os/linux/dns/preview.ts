/**
 * What would be done to the host, for `--dry-run`: no root, no journal, no repair.
 *
 * @module
 */
import { backendFor } from "./backend/backends.ts";
import { detect } from "./find/detect.ts";
import { Disk } from "./undo/disk.ts";
import { gather } from "./find/gather.ts";
import { Journal } from "./undo/journal.ts";
import type { OsDnsOptions } from "./os_dns.ts";
import { SYSTEM_PATHS } from "./find/paths.ts";
import type { Choice, Mode, OsDnsRequest } from "./types.ts";

/** The lines `OsDns.apply` would go through, and the choice before them. */
interface Preview {
  readonly choice: Choice;
  readonly steps: readonly string[];
}

/**
 * Says what `OsDns.apply` would do, line by line, and does nothing.
 *
 * @param requestFor Makes the request once the back end is known, and with it whether port 53 is needed.
 * @throws OsError when a forced mode cannot work
 */
export async function previewOsDns(
  mode: Mode,
  requestFor: (choice: Choice) => OsDnsRequest,
  options: OsDnsOptions,
): Promise<Preview> {
  const disk = new Disk();
  const journal = new Journal(options.journalDir, disk);
  const place = { paths: { ...SYSTEM_PATHS, ...options.paths }, disk, journal };
  const entry = await journal.read();
  const taken = entry !== null && entry !== "unreadable" && entry.backend === "direct"
    ? entry
    : null;
  const choice = detect(await gather(place, taken), mode);
  const request = requestFor(choice);
  return { choice, steps: await backendFor(place, choice, request).plan(request) };
}
