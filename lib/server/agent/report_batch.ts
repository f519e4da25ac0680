import type { FlowEvent, ReportRefusal } from "../../wire/mod.ts";
import { refusalError } from "../../refusal/mod.ts";

/** The most events of one report. */
const MAX_EVENTS = 256;
/** Reports under way at a time. */
const MAX_REPORTS = 4;
const MAX_PENDING = 10_000;

/** The cluster refuses an event: what it is about must not happen. */
export class RefusedEvent extends Error {
  override readonly name = "RefusedEvent";

  constructor(readonly refusal: ReportRefusal) {
    super(refusal.message);
  }
}

interface Pending {
  readonly event: FlowEvent;
  readonly done: PromiseWithResolvers<void>;
}

/** Sends events together that come together, so that many flows at once do not wait for each other's round trip. */
export class ReportBatch {
  readonly #send: (events: readonly FlowEvent[]) => Promise<readonly ReportRefusal[]>;
  readonly #pending: Pending[] = [];
  #underWay = 0;

  constructor(send: (events: readonly FlowEvent[]) => Promise<readonly ReportRefusal[]>) {
    this.#send = send;
  }

  /** Resolves when all events are written; rejects when one is not, with a {@link RefusedEvent} if it may not be. */
  async report(events: readonly FlowEvent[]): Promise<void> {
    if (this.#pending.length + events.length > MAX_PENDING) {
      throw refusalError("overloaded", "Cannot report to the cluster");
    }
    const written = events.map((event) => {
      const done = Promise.withResolvers<void>();
      this.#pending.push({ event, done });
      return done.promise;
    });
    this.#pump();
    await Promise.all(written);
  }

  #pump(): void {
    while (this.#underWay < MAX_REPORTS && this.#pending.length > 0) {
      const batch = this.#pending.splice(0, MAX_EVENTS);
      this.#underWay++;
      this.#send(batch.map(({ event }) => event)).then(
        (refused) => {
          for (const one of refused) batch[one.index]?.done.reject(new RefusedEvent(one));
          for (const { done } of batch) done.resolve();
        },
        (error) => batch.forEach(({ done }) => done.reject(error)),
      ).finally(() => {
        this.#underWay--;
        this.#pump();
      });
    }
  }
}
