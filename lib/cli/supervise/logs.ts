/**
 * The log of the owner's daemon: in the journal when a service runs it, else in a file.
 *
 * @module
 */
import { OsError, VnetError } from "../../error.ts";
import { printableLines } from "../../printable.ts";
import { pause } from "../../wait.ts";
import { type Context, tell } from "../context.ts";
import { EXIT } from "../exit.ts";
import { runAgainAsOwner } from "../as_owner.ts";
import { daemonLogs, logFile } from "./places.ts";
import { isServices } from "./told.ts";

const POLL_MS = 250;
const CHUNK_BYTES = 64 * 1024;

interface LogOptions {
  readonly follow: boolean;
  /** How many of the last lines to begin with. */
  readonly lines: number;
}

/** Shows it. @throws VnetError `log-missing`, OsError `log-denied` */
export async function showLogs(context: Context, options: LogOptions): Promise<number> {
  if (isServices(context)) return await showJournal(context, options);
  const path = await newest(daemonLogs(context));
  if (path === null) {
    throw new VnetError("log-missing", "There is no log: vnet was not brought up with --detach", {
      hint: "Without --detach it logs to its own terminal; run `sudo vnet up --detach`",
    });
  }
  // What lies in the owner's folder may be a link to anything: root shows only what the owner may read.
  if (Deno.uid() === 0 && context.owner.uid !== 0 && path !== logFile(context, "daemon")) {
    return await runAgainAsOwner(context);
  }
  tell(context, `From ${path}`);
  await showFile(context, path, options);
  return EXIT.done;
}

async function showJournal(
  context: Context,
  { follow, lines }: LogOptions,
): Promise<number> {
  const unit = `vnet@${context.owner.name}.service`;
  const args = ["--no-pager", "-o", "cat", "-n", `${lines}`, "-u", unit];
  tell(context, `From the journal of ${unit}`);
  const child = new Deno.Command("journalctl", {
    args: follow ? [...args, "-f"] : args,
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const stop = () => child.kill("SIGTERM");
  context.signal.addEventListener("abort", stop, { once: true });
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    context.stdout(printableLines(decoder.decode(chunk, { stream: true })));
  }
  const { success } = await child.status;
  context.signal.removeEventListener("abort", stop);
  return success || context.signal.aborted ? EXIT.done : EXIT.failed;
}

/** Of these files the one that was written to last; `null` if there is none. */
async function newest(paths: readonly string[]): Promise<string | null> {
  const found = await Promise.all(paths.map(async (path) => {
    const stat = await Deno.lstat(path).catch(() => null);
    return stat === null ? [] : [{ path, writtenMs: stat.mtime?.getTime() ?? 0 }];
  }));
  const [first] = found.flat().sort((a, b) => b.writtenMs - a.writtenMs);
  return first?.path ?? null;
}

async function showFile(
  context: Context,
  path: string,
  { follow, lines }: LogOptions,
): Promise<void> {
  const whole = new TextDecoder().decode(await readAll(path));
  const all = whole.split("\n");
  // What ends with a line's end has nothing behind it.
  const skipped = Math.max(0, all.length - 1 - lines);
  context.stdout(printableLines(all.slice(skipped).join("\n")));
  let at = new TextEncoder().encode(whole).length;
  while (follow && !context.signal.aborted) {
    await pause(POLL_MS, context.signal);
    at = await showFrom(context, path, at);
  }
}

async function readAll(path: string): Promise<Uint8Array> {
  try {
    return await Deno.readFile(path);
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.PermissionDenied)) throw thrown;
    throw new OsError("log-denied", `Cannot read "${path}": it is root's`, {
      call: "open",
      errno: "EACCES",
      hint: "Run `sudo vnet logs`",
    });
  }
}

/** @returns Where to go on. A file that became shorter was emptied by whoever keeps it small. */
async function showFrom(context: Context, path: string, at: number): Promise<number> {
  using file = await Deno.open(path);
  const { size } = await file.stat();
  let from = size < at ? 0 : at;
  await file.seek(from, Deno.SeekMode.Start);
  const bytes = new Uint8Array(CHUNK_BYTES);
  const decoder = new TextDecoder();
  while (from < size) {
    const count = await file.read(bytes);
    if (count === null) break;
    context.stdout(printableLines(decoder.decode(bytes.subarray(0, count), { stream: true })));
    from += count;
  }
  return from;
}
