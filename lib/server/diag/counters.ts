import { isRefusalCode } from "../../refusal/mod.ts";
import type { Metric } from "./metrics.ts";

/** What is counted of an audit event. */
interface Counted {
  readonly event: string;
  readonly reason?: string;
  readonly count?: number;
}

/** Whether an audit event says that somebody was kept out. */
export function isRefusalEvent(event: string): boolean {
  return /\.(?:failed|locked|refused|expelled)$/.test(event);
}

/** Counts audit events by their names, and refusals by their codes: as many as there are of these, and no more. */
export class AuditCounters {
  readonly #events = new Map<string, number>();
  readonly #refusals = new Map<string, number>();
  #writeSeconds = 0;
  #writes = 0;

  /** Counts what was written together, and how long the disk took. */
  written(events: readonly Counted[], tookMs: number): void {
    this.#writes++;
    this.#writeSeconds += tookMs / 1000;
    for (const { event, reason, count = 1 } of events) {
      add(this.#events, event, count);
      if (!isRefusalEvent(event)) continue;
      add(this.#refusals, reason !== undefined && isRefusalCode(reason) ? reason : "other", count);
    }
  }

  metrics(): Metric[] {
    return [
      {
        name: "vnet_audit_events_total",
        help: "Audit events that were recorded.",
        type: "counter",
        label: "event",
        samples: samplesOf(this.#events),
      },
      {
        name: "vnet_refusals_total",
        help: "What was refused on record, by code.",
        type: "counter",
        label: "code",
        samples: samplesOf(this.#refusals),
      },
      {
        name: "vnet_store_write_seconds_sum",
        help: "How long writes of audit events took, together.",
        type: "counter",
        samples: [{ value: this.#writeSeconds }],
      },
      {
        name: "vnet_store_write_seconds_count",
        help: "Writes of audit events.",
        type: "counter",
        samples: [{ value: this.#writes }],
      },
    ];
  }
}

function add(counts: Map<string, number>, key: string, count: number): void {
  counts.set(key, (counts.get(key) ?? 0) + count);
}

function samplesOf(counts: ReadonlyMap<string, number>): Metric["samples"] {
  return [...counts].sort(([a], [b]) => a < b ? -1 : 1).map(([of, value]) => ({ of, value }));
}
