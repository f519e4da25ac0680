import { sourceOf } from "../../../ip/mod.ts";
import { Tally, TokenBuckets } from "../../limits/mod.ts";
import type { AuditEvent, AuditLog } from "../types.ts";

/** Failures of one host that are recorded one by one: what a person does, and the beginning of what a program does. */
const EACH = { burst: 20, perSecond: 0.05 };
/** The same of everybody: what strangers do must not push out what the audit log is kept for. */
const ALL = { burst: 600, perSecond: 2 };

/** Records failures that strangers cause: one by one while they are few, and by their number when they are many. */
export class FailureAudit {
  readonly #audit: AuditLog;
  readonly #nowMs: () => number;
  readonly #each = new TokenBuckets(EACH);
  readonly #all = new TokenBuckets(ALL);
  readonly #unwritten = new Tally();

  constructor(options: { readonly audit: AuditLog; readonly nowMs: () => number }) {
    this.#audit = options.audit;
    this.#nowMs = options.nowMs;
  }

  async write(event: AuditEvent & { readonly source: string }): Promise<void> {
    const nowMs = this.#nowMs();
    const isMany = this.#each.take(sourceOf(event.source).host, nowMs) > 0 ||
      this.#all.take("", nowMs) > 0;
    if (isMany) this.#unwritten.add(event.event);
    else await this.#audit.write(event);
  }

  /** Records how many more there were since the last time. */
  async summarize(): Promise<void> {
    for (const [event, count] of Object.entries(this.#unwritten.drain() ?? {})) {
      await this.#audit.write({ event: event as AuditEvent["event"], reason: "many", count });
    }
  }
}
