/**
 * The host's resolver, pointed at us and back: one back end at a time, followed while it is in force.
 *
 * @module
 */
import { parseResolvConf } from "../../../dns/mod.ts";
import { OsError } from "../../../error.ts";
import type { IpAddress } from "../../../ip/mod.ts";
import type { Backend, Place } from "./backend/backend.ts";
import { backendFor } from "./backend/backends.ts";
import { DbusError } from "../dbus/error.ts";
import { detect, FALLBACK_WARNING } from "./find/detect.ts";
import { DirectBackend } from "./backend/direct.ts";
import { Disk, type StepHook } from "./undo/disk.ts";
import { gather } from "./find/gather.ts";
import { inUse } from "./in_use.ts";
import { Journal } from "./undo/journal.ts";
import { type Paths, SYSTEM_PATHS } from "./find/paths.ts";
import { originalText } from "./backend/takeover.ts";
import { repairIn } from "./undo/repair.ts";
import {
  type Applied,
  type Change,
  type Choice,
  type Mode,
  type OsDnsRequest,
  type Upstreams,
} from "./types.ts";
import { watchBackend } from "./watch.ts";

/** Where `OsDns` keeps its journal, and where the host is. */
export interface OsDnsOptions {
  /** A directory only root may write; made when missing (0700). */
  readonly journalDir: string;
  /** What differs from {@link SYSTEM_PATHS}. */
  readonly paths?: Partial<Paths>;
  /** Called before every act on the disk: where a test ends the process. */
  readonly onStep?: StepHook;
  /** What differs in how the host is looked at. */
  readonly look?: Pick<Place, "linkName" | "lookAgainMs">;
}

/** What is in force. */
interface Active {
  readonly mode: Mode;
  readonly choice: Choice;
  readonly backend: Backend;
  readonly ended: AbortController;
  /** Looks at it now; nothing while nobody watches. */
  look: () => void;
  request: OsDnsRequest;
  /** What the caller knows of them; `null` before `apply` has told. */
  upstreams: Upstreams | null;
}

/**
 * Points the operating system's resolver at our DNS server, and back.
 *
 * @example Up and down
 * ```ts ignore
 * await using dns = await OsDns.open({ journalDir: "/var/lib/vnet" });
 * const { backend, upstreams } = await dns.apply(request);
 * await dns.watch((change) => tell(change), signal);
 * ```
 */
export class OsDns implements AsyncDisposable {
  /** What `open` had to repair, line by line. */
  readonly repaired: readonly string[];
  readonly #place: Place;
  #active: Active | null = null;
  #queue: Promise<unknown> = Promise.resolve();

  /**
   * Opens the journal and undoes what a crash left behind.
   *
   * @throws OsError `dns-journal-unwritable`, `resolv-conf-read-only`
   */
  static async open(options: OsDnsOptions): Promise<OsDns> {
    const paths = { ...SYSTEM_PATHS, ...options.paths };
    const disk = new Disk(options.onStep);
    // Owned for the repair only: a back end that outlives us owns it again.
    using journal = new Journal(options.journalDir, disk);
    const place = { paths, disk, journal, ...options.look };
    return new OsDns(place, await repairIn(place, "own-crash"));
  }

  private constructor(place: Place, repaired: readonly string[]) {
    this.#place = place;
    this.repaired = repaired;
  }

  /**
   * Finds the back end a mode leads to on this host.
   *
   * @throws OsError `resolved-missing`, `resolv-conf-read-only` when a forced mode cannot work
   */
  detect(mode: Mode): Promise<Choice> {
    return this.#inTurn(() => this.#detect(mode));
  }

  /** Says what `apply` would do, line by line, and does nothing. */
  plan(request: OsDnsRequest): Promise<string[]> {
    return this.#inTurn(async () => {
      const choice = await this.#detect(request.mode);
      return await backendFor(this.#place, choice, request).plan(request);
    });
  }

  /**
   * Puts a request in force. With the same mode again it changes what differs; with another mode the old back
   * end is undone first. When the first one fails, nothing of it stays; when a later one fails, `watch` goes
   * on trying.
   *
   * @throws OsError `dns-in-use`, `dns-server-port`, `dns-service-failed`, and what the back end refuses with
   */
  apply(request: OsDnsRequest): Promise<Applied> {
    return this.#inTurn(() => this.#apply(request));
  }

  /** Undoes what `apply` did. @returns What was done, line by line; empty when nothing was in force. */
  revert(): Promise<string[]> {
    return this.#inTurn(() => this.#revert());
  }

  /** The nameservers that no file of the host shows while a vnet stands in their place, this one or another. */
  hidden(): Promise<IpAddress[]> {
    return this.#inTurn(async () => {
      const entry = await this.#place.journal.read();
      const isTaken = entry !== null && entry !== "unreadable" && entry.backend === "direct";
      const { addresses } = parseResolvConf(isTaken ? await originalText(entry) : "");
      const forwarded = this.#active?.upstreams?.upstreams ?? [];
      return [...addresses, ...forwarded.map(({ address }) => address)];
    });
  }

  /**
   * Follows what is in force: puts it back when someone undoes it, a bounded number of times, and tells of
   * other upstreams. Settles when the signal aborts, or when nothing is in force any more.
   */
  async watch(onChange: (change: Change) => void, signal: AbortSignal): Promise<void> {
    while (this.#active !== null && !signal.aborted) {
      const active = this.#active;
      await watchBackend({
        backend: active.backend,
        request: () => active.request,
        known: active.upstreams,
        inTurn: (act) => this.#inTurn(act),
        onChange,
        onStart: (poke) => active.look = poke,
      }, AbortSignal.any([signal, active.ended.signal]));
      // Ended by a change of mode: what comes next is in force when that turn is over.
      await this.#inTurn(() => Promise.resolve());
    }
  }

  /** Has `watch` look at once, as after a change of the host's network. */
  look(): void {
    this.#active?.look();
  }

  /** Reverts, and gives the journal up. */
  async close(): Promise<void> {
    try {
      await this.revert();
    } finally {
      this.#place.journal[Symbol.dispose]();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #detect(mode: Mode): Promise<Choice> {
    if (this.#active?.mode === mode) return this.#active.choice;
    const backend = this.#active?.backend;
    const taken = backend instanceof DirectBackend ? backend.entry : null;
    return detect(await gather(this.#place, taken), mode);
  }

  async #apply(request: OsDnsRequest): Promise<Applied> {
    if (this.#active !== null && !isSameKind(this.#active, request)) await this.#revert();
    if (this.#active !== null) {
      this.#active.request = request;
      return await applyActive(this.#active);
    }
    this.#active = await this.#activate(request);
    try {
      return await applyActive(this.#active);
    } catch (error) {
      // What the failed undo leaves, the journal knows: the first error is the one to tell.
      await this.#revert().catch(() => {});
      throw error;
    }
  }

  async #activate(request: OsDnsRequest): Promise<Active> {
    const { mode } = request;
    const choice = await this.#detect(mode);
    const backend = backendFor(this.#place, choice, request);
    const outlivesUs = choice.backend !== "resolved" && choice.backend !== "none";
    if (outlivesUs && !await this.#place.journal.own()) {
      throw inUse("change the host's DNS: another vnet has it in its hands", "flock");
    }
    return {
      ...{ mode, choice, backend, request },
      upstreams: null,
      ended: new AbortController(),
      look: () => {},
    };
  }

  async #revert(): Promise<string[]> {
    const active = this.#active;
    if (active === null) return [];
    active.ended.abort();
    const lines = await active.backend.revert(active.request);
    this.#active = null;
    this.#place.journal[Symbol.dispose]();
    return lines;
  }

  /** One act at a time, in the order asked for. */
  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(act);
    this.#queue = turn.catch(() => {});
    return turn;
  }
}

/**
 * Undoes what a crashed process left behind. Idempotent; what someone else wrote since is left alone, and so
 * is what a living process owns.
 *
 * @returns What was done, line by line; empty when there was nothing to do.
 * @throws OsError `dns-journal-unwritable`, `resolv-conf-read-only`
 */
export async function repair(
  journalDir: string,
  paths: Partial<Paths> = {},
  onStep?: StepHook,
): Promise<string[]> {
  const disk = new Disk(onStep);
  using journal = new Journal(journalDir, disk);
  return await repairIn({ paths: { ...SYSTEM_PATHS, ...paths }, disk, journal }, "any-crash");
}

/** @throws OsError `dns-service-failed` when a service on the bus lets us down half-way */
async function applyActive(active: Active): Promise<Applied> {
  try {
    return await applyBackend(active);
  } catch (cause) {
    if (!(cause instanceof DbusError)) throw cause;
    const { backend } = active.choice;
    throw new OsError(
      "dns-service-failed",
      `Cannot use DNS back end "${backend}": ${cause.message}`,
      {
        call: cause.errorName,
        errno: cause.isAbsent ? "ENOENT" : "EIO",
        hint: "Try again, or use DNS mode direct",
        cause,
      },
    );
  }
}

async function applyBackend(active: Active): Promise<Applied> {
  const { backend, choice, request } = active;
  const steps = await backend.plan(request);
  await backend.apply(request);
  active.upstreams = await backend.upstreams(request);
  const kept = active.request.guarded === true
    ? choice.warnings.filter((warning) => warning !== FALLBACK_WARNING)
    : choice.warnings;
  const warnings = [...kept, ...active.upstreams.warnings];
  return { ...active.upstreams, warnings, backend: choice.backend, why: choice.why, steps };
}

function isSameKind(active: Active, request: OsDnsRequest): boolean {
  return active.mode === request.mode && active.request.ifindex === request.ifindex;
}
