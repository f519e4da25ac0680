/**
 * One login at work: what its cluster publishes, kept fresh, and the connections it may open.
 *
 * @module
 */
import { AuthError, describeError, VnetError } from "../../error.ts";
import { DeadlinePassed, orAborted, pause, withDeadline } from "../../wait.ts";
import { getLogger } from "../../log.ts";
import type { AppRef, ClusterView, PlanSource } from "../../plan/mod.ts";
import { endsLogin, readConnectionRefusal, refusalError } from "../../refusal/mod.ts";
import type { SecondFactor } from "../mfa/desk.ts";
import type { ClusterLink, Flow, SessionProof, Stranger } from "./driver.ts";
import { sourceOf } from "./known.ts";
import { type Profile, profileName } from "./profile.ts";
import { Rights } from "./rights.ts";

const log = getLogger("client", "session");

const RETRY_MIN_MS = 1_000;
const RETRY_MAX_MS = 60_000;
/** An answer that took longer was held. */
const HELD_MS = 5_000;
const ISSUE_DEADLINE_MS = 15_000;

/** How a login stands: good, over, or good and its cluster silent. */
type SessionState = "active" | "expired" | "unreachable";

interface SessionOptions {
  readonly profile: Profile;
  /** The login's link to its cluster, which becomes the session's to close. */
  readonly link: ClusterLink;
  readonly nowMs: () => number;
  /** Asks the person for a second factor; `null` where nobody can be asked. */
  readonly secondFactor: SecondFactor | null;
}

/** One login's live view of its cluster. */
export class Session {
  readonly profile: Profile;
  readonly name: string;
  readonly #link: ClusterLink;
  readonly #nowMs: () => number;
  readonly #rights: Rights;
  #view: ClusterView | null = null;
  #refreshedMs: number | null = null;
  #error: { readonly text: string; readonly code: string | null } | null = null;
  /** Whether the cluster has answered since this program began, or before. */
  #wasReached = false;
  /** Ends the pause before the cluster is asked again. */
  #hurry = new AbortController();
  #refusal: string | null = null;

  constructor({ profile, link, nowMs, secondFactor }: SessionOptions) {
    this.profile = profile;
    this.name = profileName(profile.proxy);
    this.#link = link;
    this.#nowMs = nowMs;
    const right = (target: AppRef, port: number, proof: SessionProof | null) =>
      link.right({ target, port, proof }, AbortSignal.timeout(ISSUE_DEADLINE_MS));
    this.#rights = new Rights({
      issue: (target, port) => right(target, port, null),
      confirm: async (target, port) => {
        const { app, appId, cluster } = target;
        if (secondFactor === null) throw refusalError("mfa-required", `Cannot connect to "${app}"`);
        return await secondFactor.ask(
          { app, appId, cluster, port, user: profile.user },
          (proof) => right(target, port, proof),
        );
      },
      nowMs,
    });
  }

  /** Begins with what was last known, until the cluster answers. */
  restore(view: ClusterView): void {
    this.#view ??= view;
    this.#wasReached = true;
    this.#link.recall(view);
  }

  get view(): ClusterView | null {
    return this.#view;
  }

  get state(): SessionState {
    if (this.refusal !== null) return "expired";
    return this.#error === null ? "active" : "unreachable";
  }

  /** Why the cluster could not be asked last; `null` when it could. */
  get error(): string | null {
    return this.#error?.text ?? null;
  }

  /** The same as a code; `null` too where there is none. */
  get errorCode(): string | null {
    return this.#error?.code ?? null;
  }

  get wasReached(): boolean {
    return this.#wasReached;
  }

  /** Why the login cannot be used: the code the cluster refuses it with, or `login-expired`; `null` while it can. */
  get refusal(): string | null {
    const isOver = this.profile.expiresMs <= this.#nowMs();
    return isOver ? "login-expired" : this.#refusal;
  }

  get refreshedMs(): number | null {
    return this.#refreshedMs;
  }

  /** The input of the plan, or `null` while nothing is known. */
  get source(): PlanSource | null {
    return this.#view === null ? null : sourceOf(this.profile, this.#view);
  }

  /**
   * Asks the cluster once. A refusal keeps the old view and shows in `state`.
   *
   * @param deadlineMs How long it may take.
   * @returns Whether anything is different now.
   */
  async refresh(deadlineMs: number, signal: AbortSignal): Promise<boolean> {
    try {
      return this.#take(
        await withDeadline(deadlineMs, signal, (both) => orAborted(this.#link.view(both), both)),
      );
    } catch (thrown) {
      return this.#fail(thrown, signal);
    }
  }

  /** Follows the cluster until the signal aborts; calls `onChange` when anything is different. */
  async follow(onChange: () => Promise<void>, signal: AbortSignal): Promise<void> {
    let retryMs = RETRY_MIN_MS;
    while (!signal.aborted) {
      const askedMs = performance.now();
      try {
        for await (const view of this.#link.watch(signal)) {
          retryMs = RETRY_MIN_MS;
          if (this.#take(view)) await onChange();
        }
      } catch (thrown) {
        if (this.#fail(thrown, signal)) await onChange();
        // A cluster that takes its time to refuse has waited for news: the next question does so, too.
        const isHeld = performance.now() - askedMs >= HELD_MS;
        if (thrown instanceof AuthError && isHeld) retryMs = RETRY_MIN_MS;
      }
      const hurry = this.#hurry.signal;
      await pause(retryMs, AbortSignal.any([signal, hurry]));
      retryMs = hurry.aborted ? RETRY_MIN_MS : Math.min(retryMs * 2, RETRY_MAX_MS);
    }
  }

  /** Asks the cluster again now, if it waits to do so. */
  hurry(): void {
    this.#hurry.abort();
    this.#hurry = new AbortController();
  }

  /** The network is another: the cluster is asked at once, and connections that lead nowhere end. */
  networkChanged(): void {
    this.#link.networkChanged();
    this.hurry();
  }

  /** Looks whether something else answers in the cluster's place. */
  findStranger(signal: AbortSignal): Promise<Stranger | null> {
    return this.#link.findStranger(signal);
  }

  /**
   * Opens a connection to one port of an app.
   *
   * @throws AuthError `login-expired`, what the cluster refuses the login with, and what the driver throws.
   */
  async connect(target: AppRef, port: number, signal: AbortSignal): Promise<Flow> {
    const { refusal } = this;
    if (refusal !== null) {
      throw refusalError(readConnectionRefusal(refusal) ?? "login-expired", "Cannot connect");
    }
    // Others may wait for the same right: it is asked for to the end.
    const right = await orAborted(this.#rights.get(target, port), signal);
    try {
      return await this.#link.open({ right, target, port }, signal);
    } catch (thrown) {
      // It ended on the way, or by a clock that is not ours.
      if (!(thrown instanceof AuthError) || thrown.code !== "certificate-expired") throw thrown;
      this.#rights.drop(right);
      const next = await orAborted(this.#rights.get(target, port), signal);
      return await this.#link.open({ right: next, target, port }, signal);
    }
  }

  /** Asks nothing more; open connections go on. @returns Settles when the last of them has ended. */
  retire(): Promise<void> {
    this.#rights.clear();
    return this.#link.retire();
  }

  /** Ends everything. */
  async close(): Promise<void> {
    this.#rights.clear();
    await this.#link.close();
  }

  #take(view: ClusterView): boolean {
    const isDifferent = view !== this.#view || this.#error !== null || this.#refusal !== null;
    this.#view = view;
    this.#refreshedMs = this.#nowMs();
    this.#error = null;
    this.#refusal = null;
    this.#wasReached = true;
    return isDifferent;
  }

  #fail(thrown: unknown, signal: AbortSignal): boolean {
    if (signal.aborted) return false;
    const before = this.error;
    this.#error = thrown instanceof DeadlinePassed
      ? { text: "The cluster did not answer in time [proxy-timeout]", code: "proxy-timeout" }
      : { text: describeError(thrown), code: thrown instanceof VnetError ? thrown.code : null };
    // Once refused it stays so until the cluster answers: a network that fails after that says nothing.
    if (thrown instanceof AuthError && endsLogin(thrown.code)) this.#refusal = thrown.code;
    log.debug("Refresh failed", { profile: this.name, error: this.error });
    return before !== this.error;
  }
}
