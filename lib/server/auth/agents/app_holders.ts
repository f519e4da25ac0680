import type { StoredAgent, TokenScope } from "../../store/mod.ts";

/** An agent that joined, connected or not, as far as its claim to app names goes. */
interface Holder {
  readonly apps: ReadonlySet<string>;
  /** Its token names the apps, or was made for any app. */
  readonly isMeant: boolean;
  /** Equal for tokens that ask for the same labels. */
  readonly labels: string;
}

/**
 * Which agents hold which app names, connected or not. Agents whose tokens name an app, or are for any, may all serve
 * it. An agent whose token only asks for labels may not serve one that others hold by another kind of token, or by
 * one of other labels: it would otherwise stand in for them while they are away.
 */
export class AppHolders {
  readonly #holders = new Map<string, Holder>();
  readonly #byApp = new Map<string, Set<string>>();

  /** Counts what was done. */
  #done = 0;

  /** Begins anew with what is read; reads again if a holder came or went meanwhile, or another reading. */
  async reload(read: () => Promise<readonly StoredAgent[]>): Promise<void> {
    for (;;) {
      const done = this.#done;
      const agents = await read();
      if (done === this.#done) return this.load(agents);
    }
  }

  /** Begins anew with these. */
  load(agents: readonly StoredAgent[]): void {
    this.#holders.clear();
    this.#byApp.clear();
    for (const agent of agents) this.put(agent);
  }

  put({ id, apps, scope }: Pick<StoredAgent, "id" | "apps" | "scope">): void {
    this.#done++;
    this.remove(id);
    this.#holders.set(id, { apps: new Set(apps), ...claimOf(scope) });
    for (const app of apps) this.#byApp.set(app, (this.#byApp.get(app) ?? new Set()).add(id));
  }

  remove(id: string): void {
    this.#done++;
    for (const app of this.#holders.get(id)?.apps ?? []) {
      const ids = this.#byApp.get(app);
      ids?.delete(id);
      if (ids?.size === 0) this.#byApp.delete(app);
    }
    this.#holders.delete(id);
  }

  /** Whether others hold an app in a way that keeps an agent with this token from it. */
  isTaken(app: string, id: string | null, scope: TokenScope): boolean {
    const claim = claimOf(scope);
    if (claim.isMeant) return false;
    return [...this.#byApp.get(app) ?? []].some((other) => {
      const holder = this.#holders.get(other);
      if (holder === undefined || other === id) return false;
      return holder.isMeant || holder.labels !== claim.labels;
    });
  }
}

function claimOf({ apps, labels }: TokenScope): Pick<Holder, "isMeant" | "labels"> {
  const asked = Object.entries(labels).sort(([a], [b]) => a < b ? -1 : 1);
  return { isMeant: apps !== null || asked.length === 0, labels: JSON.stringify(asked) };
}
