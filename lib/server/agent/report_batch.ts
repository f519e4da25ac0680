import type { FlowEvent } from "../../wire/mod.ts";
import { refusalError } from "../../refusal/mod.ts";

/** The most events of one report. */
const MAX_EVENTS = 256;
/** Reports under way at a time. */
const MAX_REPORTS = 4;
const MAX_PENDING = 10_000;

interface Pending {
  readonly event: FlowEvent;
  readonly done: PromiseWithResolvers<void>;
}

/** Sends events together that come together, so that many flows at once do not wait for each other's round trip. */
export class ReportBatch {
  readonly #send: (events: readonly FlowEvent[]) => Promise<void>;
  readonly #pending: Pending[] = [];
  #underWay = 0;

  constructor(send: (events: readonly FlowEvent[]) => Promise<void>) {
    this.#send = send;
  }

  /** Resolves when all events are written; rejects when one is not. */
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
        () => batch.forEach(({ done }) => done.resolve()),
        (error) => batch.forEach(({ done }) => done.reject(error)),
      ).finally(() => {
        this.#underWay--;
        this.#pump();
      });
    }
  }
}
