import { OsError } from "../../../error.ts";
import { getLogger } from "../../../log.ts";
import type { Store } from "../../store/mod.ts";
import { AuditCounters } from "../../diag/counters.ts";
import { AuditFile } from "./audit_file.ts";
import type { AuditEvent, AuditLog, AuditRecord } from "../types.ts";

const log = getLogger("server", "auth");

/** Events that wait for the disk; beyond it nothing more is promised. */
const MAX_PENDING = 10_000;

interface Pending {
  readonly event: AuditEvent;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Keeps events in the store and, one JSON line each, in a file that log collectors can follow. Events that arrive
 * together are written together.
 */
export class StoreAudit implements AuditLog {
  readonly #store: Store;
  readonly #file: AuditFile;
  readonly #cluster: string;
  readonly #nowMs: () => number;
  readonly counters = new AuditCounters();
  #pending: Pending[] = [];
  #flushing: Promise<void> | null = null;
  #onWritten: () => void = () => {};

  constructor(options: {
    readonly store: Store;
    readonly path: string;
    readonly cluster: string;
    readonly nowMs: () => number;
  }) {
    this.#store = options.store;
    this.#file = new AuditFile(options.path);
    this.#cluster = options.cluster;
    this.#nowMs = options.nowMs;
  }

  /** Calls back after every write. */
  set onWritten(listener: () => void) {
    this.#onWritten = listener;
  }

  write(event: AuditEvent): Promise<void> {
    if (this.#pending.length >= MAX_PENDING) {
      return Promise.reject(unwritable("too many events wait", "EAGAIN", undefined));
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#pending.push({ event, resolve, reject });
    this.#flushing ??= this.#flush();
    return promise;
  }

  /** Waits until everything promised is written. */
  async close(): Promise<void> {
    await this.#flushing;
    this.#file.close();
  }

  async #flush(): Promise<void> {
    // One turn later, so that what comes together goes together
    await Promise.resolve();
    while (this.#pending.length > 0) {
      const batch = this.#pending;
      this.#pending = [];
      try {
        await this.#writeBatch(batch.map(({ event }) => event));
        for (const { resolve } of batch) resolve();
        this.#onWritten();
      } catch (cause) {
        log.error("Cannot write the audit log", { error: String(cause) });
        const errno = cause instanceof OsError ? cause.errno : "EIO";
        const reason = isAway(cause) ? "the database is away" : "the disk refuses";
        for (const { reject } of batch) reject(unwritable(reason, errno, cause));
      }
    }
    this.#flushing = null;
  }

  async #writeBatch(events: readonly AuditEvent[]): Promise<void> {
    const time = new Date(this.#nowMs()).toISOString();
    const bodies = events.map((event) =>
      JSON.stringify({ time, cluster_name: this.#cluster, ...event })
    );
    const beganMs = performance.now();
    const first = await this.#store.events.append(bodies, events.some(isLasting));
    const lines = bodies.map((body, i) => `${JSON.stringify(withSeq(first + i, body))}\n`).join("");
    // An event whose line does not fit may be in the store all the same: it was asked for, and refused
    await this.#file.append(lines);
    this.counters.written(events, performance.now() - beganMs);
  }
}

/** What strangers can cause without end does not make everybody wait for the disk. */
function isLasting({ event }: AuditEvent): boolean {
  return event !== "login.failed" && event !== "login.locked" && event !== "agent.join.failed";
}

/** Reads an event as it was kept. */
export function withSeq(seq: number, body: string): AuditRecord {
  return { seq, ...JSON.parse(body) as Omit<AuditRecord, "seq"> };
}

function unwritable(reason: string, errno: string, cause: unknown): OsError {
  const hint = isAway(cause)
    ? "Start PostgreSQL; until it answers nothing is allowed"
    : "Make room on the disk that holds data_dir; until then nothing is allowed";
  return new OsError("audit-unwritable", `Cannot write the audit log: ${reason}`, {
    call: "write",
    errno,
    cause,
    hint,
  });
}

function isAway(cause: unknown): boolean {
  return cause instanceof OsError && cause.code === "store-unreachable";
}
