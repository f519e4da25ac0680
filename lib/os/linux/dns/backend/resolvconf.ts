/**
 * The back ends that hand our server to a program called resolvconf: openresolv's, or Debian's older one.
 *
 * @module
 * @see resolvconf(8) of both
 */
import { OsError } from "../../../../error.ts";
import { parseResolvConf, type ResolvConf } from "../../../../dns/mod.ts";
import { formatIp } from "../../../../ip/mod.ts";
import type { Backend, Condition, Place } from "./backend.ts";
import { followPaths } from "../follow.ts";
import { findResolvconf } from "../find/gather.ts";
import type { Entry } from "../undo/journal.ts";
import { run, untilEnded } from "../find/program.ts";
import type { OsDnsRequest, Upstreams } from "../types.ts";
import { nameserver, upstreamsOf } from "../find/upstreams.ts";

type Flavour = "openresolv" | "debian-resolvconf";
type ResolvconfEntry = Extract<Entry, { backend: Flavour }>;

/** Debian sorts records by name: tun* comes early. */
export const DEBIAN_RECORD = "tun-vnet.inet";
const MISSING_PROGRAM = "/usr/sbin/resolvconf";

export class ResolvconfBackend implements Backend {
  readonly kind: Flavour;
  readonly #place: Place;

  constructor(place: Place, kind: Flavour) {
    this.#place = place;
    this.kind = kind;
  }

  async plan(request: OsDnsRequest): Promise<string[]> {
    const entry = await this.#entry(request);
    const lines = (await this.#text(entry, request)).trim().split("\n");
    return [
      `write ${this.#place.journal.path} (record ${entry.record})`,
      `resolvconf ${addArguments(entry).join(" ")}: ${lines.join(", ")}`,
    ];
  }

  async apply(request: OsDnsRequest): Promise<void> {
    const entry = await this.#entry(request);
    const input = await this.#text(entry, request);
    await this.#place.journal.write(entry);
    const { status, stderr } = await run(entry.program, addArguments(entry), { input });
    // Debian's exit status is that of the last foreign hook script; whether the record is there is what counts.
    if (await this.#hasRecord(entry)) return;
    throw new OsError(
      "resolvconf-refused",
      `Cannot hand our DNS server to resolvconf: it ended with ${status}: ${
        stderr.trim().slice(0, 200)
      }`,
      { call: entry.program, errno: "EIO", hint: "Use DNS mode direct" },
    );
  }

  async condition(request: OsDnsRequest): Promise<Condition> {
    const entry = await this.#entry(request);
    return await this.#hasRecord(entry)
      ? { kind: "intact" }
      : { kind: "undone", why: `resolvconf record "${entry.record}" was removed` };
  }

  async upstreams(request: OsDnsRequest): Promise<Upstreams> {
    const others = await this.#others(await this.#entry(request));
    return upstreamsOf({
      candidates: others.flatMap((record) => record.addresses).map(nameserver),
      search: others.flatMap((record) => record.search),
      server: request.server,
      dropStubs: false,
    });
  }

  async revert(request: OsDnsRequest): Promise<string[]> {
    return await undoResolvconf(await this.#entry(request), this.#place);
  }

  follow(poke: () => void, signal: AbortSignal): Promise<void> {
    const { resolvconfRun, resolvConf } = this.#place.paths;
    // Records are files in one of these, by flavour and version; a change of any is seen at the directory.
    const records = ["interface", "interfaces", "keys"].map((name) => `${resolvconfRun}/${name}/*`);
    return followPaths(() => [resolvConf, ...records], poke, signal);
  }

  async #entry(request: OsDnsRequest): Promise<ResolvconfEntry> {
    const found = await findResolvconf(this.#place.paths.programs);
    return {
      v: 1,
      backend: this.kind,
      program: found?.program ?? MISSING_PROGRAM,
      record: this.kind === "openresolv" ? request.link : DEBIAN_RECORD,
    };
  }

  /** Our record: exclusive, so it has to carry the others' search list. */
  async #text(entry: ResolvconfEntry, request: OsDnsRequest): Promise<string> {
    const search = this.kind === "openresolv"
      ? [...new Set((await this.#others(entry)).flatMap((record) => record.search))]
      : [];
    return `nameserver ${formatIp(request.server.address)}\n` +
      (search.length > 0 ? `search ${search.join(" ")}\n` : "");
  }

  async #hasRecord(entry: ResolvconfEntry): Promise<boolean> {
    return (await this.#records(entry)).includes(entry.record);
  }

  async #others(entry: ResolvconfEntry): Promise<ResolvConf[]> {
    const names = (await this.#records(entry)).filter((name) => name !== entry.record);
    const texts = await Promise.all(names.map((name) => this.#record(entry, name)));
    return texts.map(parseResolvConf);
  }

  async #records(entry: ResolvconfEntry): Promise<string[]> {
    if (entry.backend === "openresolv") {
      const { stdout } = await run(entry.program, ["-i"]);
      return stdout.split(/\s+/).filter((name) => name !== "");
    }
    const names: string[] = [];
    try {
      for await (const file of Deno.readDir(this.#debianRecords())) {
        if (file.isFile) names.push(file.name);
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    return names.sort();
  }

  async #record(entry: ResolvconfEntry, name: string): Promise<string> {
    if (entry.backend === "openresolv") return (await run(entry.program, ["-l", name])).stdout;
    return await Deno.readTextFile(`${this.#debianRecords()}/${name}`).catch(() => "");
  }

  #debianRecords(): string {
    return `${this.#place.paths.resolvconfRun}/interface`;
  }
}

/** Takes our record out; its not being there is fine. @returns What was done, line by line */
export async function undoResolvconf(
  entry: ResolvconfEntry,
  place: Pick<Place, "journal">,
): Promise<string[]> {
  const args = entry.backend === "openresolv" ? ["-f", "-d", entry.record] : ["-d", entry.record];
  let line = `resolvconf ${args.join(" ")}`;
  await untilEnded(entry.program, entry.record);
  try {
    await run(entry.program, args);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    line = `forgot record ${entry.record}: the program resolvconf is gone`;
  }
  await place.journal.drop();
  return [line];
}

function addArguments(entry: ResolvconfEntry): string[] {
  return entry.backend === "openresolv"
    ? ["-m", "0", "-x", "-a", entry.record]
    : ["-a", entry.record];
}
