/**
 * From what somebody typed to an open connection, by the logins of this process.
 *
 * @module
 */
import { portAllowed } from "../../config/mod.ts";
import { UsageError } from "../../error.ts";
import {
  type AppRef,
  type AppWish,
  findApp,
  type Plan,
  type PlanSource,
  renderPorts,
} from "../../plan/mod.ts";
import { refusalError } from "../../refusal/mod.ts";
import type { AppDialer } from "../dial.ts";
import type { AppFacts, OpenedApp } from "./app_way.ts";

/** What is asked for of an app that takes any port, by somebody who names none. */
const ANY_PORT = 1;

/** One port of an app. */
interface AppPlace {
  readonly app: AppRef;
  readonly port: number;
}

interface AppOpenerOptions {
  readonly plan: () => Pick<Plan, "targets">;
  readonly sources: () => readonly PlanSource[];
  readonly dialer: Pick<AppDialer, "dial">;
}

/** Finds and opens the apps that a process knows by its own logins. */
export class AppOpener {
  readonly #options: AppOpenerOptions;

  constructor(options: AppOpenerOptions) {
    this.#options = options;
  }

  /** @throws VnetError `app-unknown`, `app-ambiguous` */
  find(wish: AppWish): AppFacts {
    return factsOf(this.#require(wish));
  }

  /** Says where a connection would go. @throws VnetError as `find`; `port-needed`, `port-not-allowed` */
  place(wish: AppWish, wanted: number | null): AppPlace {
    const app = this.#require(wish);
    return { app, port: choosePort(factsOf(app), wanted) };
  }

  /** @throws VnetError what {@link AppDialer.dial} throws */
  async dial({ app, port }: AppPlace, signal: AbortSignal): Promise<OpenedApp> {
    return { ...factsOf(app), port, flow: await this.#options.dialer.dial(app, port, signal) };
  }

  #require(wish: AppWish): AppRef {
    const found = findApp(wish, this.#options.plan(), this.#options.sources());
    switch (found.kind) {
      case "found":
        return found.app;
      case "unknown":
        throw refusalError("app-unknown", `Cannot connect to "${wish.name}"`);
      case "several":
        throw new UsageError(
          "app-ambiguous",
          `Cannot connect to "${wish.name}": several clusters have an app of that name`,
          { hint: `Name the cluster with --cluster: ${found.clusters.join(", ")}` },
        );
      default:
        return found satisfies never;
    }
  }
}

function factsOf({ app, cluster, ports, httpHosts }: AppRef): AppFacts {
  return { app, cluster, ports, httpHosts };
}

/**
 * Says to which port of an app a connection goes.
 *
 * @param wanted `null` for the only one there is.
 * @throws VnetError `port-needed`, `port-not-allowed`
 */
export function choosePort({ app, ports }: AppFacts, wanted: number | null): number {
  const what = `Cannot connect to "${app}"`;
  if (wanted !== null) {
    if (portAllowed(ports, wanted)) return wanted;
    throw refusalError("port-not-allowed", what);
  }
  if (ports === null) return ANY_PORT;
  const [first, ...others] = ports;
  if (first !== undefined && others.length === 0 && first.first === first.last) return first.first;
  throw new UsageError("port-needed", `${what}: it has several ports, and none was named`, {
    hint: `Name one, as in ${app}:${first?.first}; it has ${renderPorts(ports).join(", ")}`,
  });
}
