/**
 * The back end that takes /etc/resolv.conf over: every name comes to us, and we forward what is not ours.
 *
 * @module
 */
import { parseResolvConf, renderResolvConf, type ResolvConf } from "../../../../dns/mod.ts";
import { parseIp } from "../../../../ip/mod.ts";
import type { Backend, Condition, Place } from "./backend.ts";
import { Dbus } from "../../dbus/dbus.ts";
import { errnoOf } from "../../errno.ts";
import { readOnlyError } from "../find/detect.ts";
import { followPaths } from "../follow.ts";
import { isMountPoint } from "../find/gather.ts";
import type { DirectEntry } from "../undo/journal.ts";
import { RESOLVED } from "../../dbus/names.ts";
import { resolvedServers } from "./resolved_settings.ts";
import {
  capture,
  type FileState,
  isOurs,
  linkTarget,
  originalText,
  putOurs,
  readState,
  restore,
  withoutOurLines,
  withText,
} from "./takeover.ts";
import type { Choice, OsDnsRequest, Upstreams } from "../types.ts";
import { isStub, nameserver, upstreamsOf } from "../find/upstreams.ts";

const LOCAL_RESOLVER = parseIp("127.0.0.1");
const BUS_TIMEOUT_MS = 1_000;

export class DirectBackend implements Backend {
  readonly kind = "direct";
  readonly #place: Place;
  readonly #choice: Choice;
  #entry: DirectEntry | null = null;

  constructor(place: Place, choice: Choice) {
    this.#place = place;
    this.#choice = choice;
  }

  /** What was taken over; `null` before `apply`. */
  get entry(): DirectEntry | null {
    return this.#entry;
  }

  async plan(request: OsDnsRequest): Promise<string[]> {
    const { paths, journal } = this.#place;
    const entry = await this.#captured();
    const text = await this.#textFor(entry, request);
    const act = isInPlace(entry) ? "rewrite" : "replace";
    return [
      `write ${journal.path} (the original: ${describe(entry)})`,
      ...text.split("\n").filter((line) => line !== "" && !line.startsWith("#"))
        .map((line) => `${act} ${paths.resolvConf}: ${line}`),
    ];
  }

  async apply(request: OsDnsRequest): Promise<void> {
    const { disk, journal } = this.#place;
    let entry = await this.#captured();
    const text = await this.#textFor(entry, request);
    entry = withText(entry, text);
    await journal.write(entry);
    this.#entry = entry;
    try {
      await putOurs(entry, disk);
    } catch (cause) {
      if (errnoOf(cause) !== "EBUSY" || entry.original.kind !== "file") {
        throw readOnlyError({ kind: entry.original.kind, writeErrno: errnoOf(cause) });
      }
      // A mount point that mountinfo does not show: only its content can be changed.
      this.#entry = { ...entry, original: { ...entry.original, inPlace: true } };
      await journal.write(this.#entry);
      await putOurs(this.#entry, disk);
    }
  }

  async condition(request: OsDnsRequest): Promise<Condition> {
    const entry = this.#entry;
    if (entry === null) return { kind: "undone", why: "not applied yet" };
    const state = await readState(entry.path);
    if (state.kind === "other") {
      return { kind: "absent", why: `${entry.path} is not a file any more` };
    }
    // A writer that truncates first leaves an empty file for a moment.
    if (state.kind === "file" && state.bytes.length === 0) return { kind: "unsettled" };
    if (!isOurs(state, entry)) return { kind: "undone", why: `${entry.path} was rewritten` };
    const text = await this.#textFor(entry, request);
    return state.kind === "file" && new TextDecoder().decode(state.bytes) === text
      ? { kind: "intact" }
      : { kind: "undone", why: `${entry.path} or what it stood for was changed` };
  }

  async upstreams(request: OsDnsRequest): Promise<Upstreams> {
    const base = await this.#base(this.#entry ?? await this.#captured());
    const found = { search: base.search, server: request.server };
    if (base.nameservers.length === 0) {
      const warning =
        "resolv.conf names no resolver: the one on this machine is asked, as libc does";
      const candidates = [nameserver(LOCAL_RESOLVER)];
      return upstreamsOf({ ...found, candidates, dropStubs: false, warnings: [warning] });
    }
    const candidates = base.addresses.map(nameserver);
    if (!base.addresses.some(isStub)) {
      return upstreamsOf({ ...found, candidates, dropStubs: false });
    }
    const behind = await this.#behindResolved();
    return behind === null
      ? upstreamsOf({ ...found, candidates, dropStubs: false })
      : upstreamsOf({ ...found, candidates: [...candidates, ...behind], dropStubs: true });
  }

  async revert(): Promise<string[]> {
    const entry = this.#entry;
    if (entry === null) return [];
    const lines = await undoDirect(entry, this.#place);
    this.#entry = null;
    return lines;
  }

  follow(poke: () => void, signal: AbortSignal): Promise<void> {
    return followPaths(() => this.#watched(), poke, signal);
  }

  /** The file, and what a link that lay there leads to. */
  #watched(): string[] {
    const { resolvConf } = this.#place.paths;
    const original = this.#entry?.original;
    if (original?.kind !== "symlink") return [resolvConf];
    return [resolvConf, linkTarget(resolvConf, original.target)];
  }

  /** The entry to go on with: ours while our file is there, else a new one of what someone else put there. */
  async #captured(): Promise<DirectEntry> {
    const { paths } = this.#place;
    const state = await readState(paths.resolvConf);
    if (this.#entry !== null && isOurs(state, this.#entry)) return this.#entry;
    const isMount = state.kind === "file" && await isMountPoint(paths.resolvConf, paths.mountinfo);
    const fresh = capture(paths.resolvConf, stripped(state), isMount);
    // Our older texts stay known, should a rewrite in place be cut off.
    return this.#entry === null ? fresh : { ...fresh, ours: this.#entry.ours };
  }

  async #base(entry: DirectEntry): Promise<ResolvConf> {
    return parseResolvConf(await originalText(entry));
  }

  async #textFor(entry: DirectEntry, request: OsDnsRequest): Promise<string> {
    return renderResolvConf({
      base: await this.#base(entry),
      server: request.server.address,
      keepFallback: this.#choice.fallbackLines && request.guarded !== true,
    });
  }

  /** The resolvers of a systemd-resolved whose stub we must not ask. @returns `null` when it does not run */
  async #behindResolved() {
    try {
      await using bus = await Dbus.connect({
        socket: this.#place.paths.busSocket,
        timeoutMs: BUS_TIMEOUT_MS,
      });
      if (!await bus.hasOwner(RESOLVED.destination)) return null;
      return (await resolvedServers(bus)).map((row) => row.endpoint);
    } catch {
      return null;
    }
  }
}

/** Puts the original back and forgets the entry. @returns What was done, line by line. */
export async function undoDirect(
  entry: DirectEntry,
  place: Pick<Place, "disk" | "journal">,
): Promise<string[]> {
  const restored = await restore(entry, place.disk);
  await place.journal.drop();
  return [
    restored === "restored"
      ? `restored ${entry.path} (${describe(entry)})`
      : `left ${entry.path} alone: someone else wrote it since`,
  ];
}

/** A file that a vnet left whose journal is lost counts as what it would be without that vnet's lines. */
function stripped(state: FileState): FileState {
  return state.kind === "file" ? { ...state, bytes: withoutOurLines(state.bytes) } : state;
}

function isInPlace(entry: DirectEntry): boolean {
  return entry.original.kind === "file" && entry.original.inPlace;
}

function describe(entry: DirectEntry): string {
  switch (entry.original.kind) {
    case "missing":
      return "no file";
    case "symlink":
      return `a link to ${entry.original.target}`;
    case "file":
      return "a file";
    default:
      return entry.original satisfies never;
  }
}
