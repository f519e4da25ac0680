import { deepEqual } from "node:assert/strict";
import { configureLog } from "../../log.ts";
import { Agent } from "./agent.ts";
import type { AgentCredentials, Uplink } from "./uplink.ts";

const HOUR_MS = 3_600_000;
const CREDENTIALS: AgentCredentials = {
  clusterName: "c.example",
  agentId: "a",
  identity: { certificatePem: "", privateKeyPem: "" },
  appCertificatePems: [],
  notBeforeMs: 0,
  notAfterMs: 12 * HOUR_MS,
};

/** A cluster out of reach, each time for the reason that is next. */
class Unreachable implements Uplink {
  readonly #reasons: Iterator<string>;
  readonly #tried = Promise.withResolvers<void>();
  readonly #isPolicy: boolean;

  /** @param what What fails for these reasons; nobody answers the other. */
  constructor(what: "policy" | "proxy", reasons: readonly string[]) {
    this.#isPolicy = what === "policy";
    this.#reasons = reasons.values();
  }

  /** Resolves when there are no more reasons. */
  get tried(): Promise<void> {
    return this.#tried.promise;
  }

  enrol = () => Promise.resolve(CREDENTIALS);
  renew = () => Promise.reject(new Error("not due"));
  report = () => Promise.resolve([]);

  nextPolicy(_held: AgentCredentials, signal: AbortSignal): Promise<never> {
    return this.#isPolicy ? this.#fail(signal) : aborted(signal);
  }

  proxy() {
    return {
      server: { host: "proxy.c.example", port: 443 },
      trust: { kind: "public" as const },
      identity: null,
      dial: (_server: unknown, signal: AbortSignal) =>
        this.#isPolicy ? aborted(signal) : this.#fail(signal),
    };
  }

  #fail(signal: AbortSignal): Promise<never> {
    const { value, done } = this.#reasons.next();
    if (!done) return Promise.reject(new Error(value));
    this.#tried.resolve();
    return aborted(signal);
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason), { once: true })
  );
}

Deno.test("an agent tells why it is cut off when that begins, and when the reason is another", async (t) => {
  const cases = [["policy", "Cannot learn the cluster's policy"], [
    "proxy",
    "Cannot reach the proxy",
  ]] as const;
  for (const [what, message] of cases) {
    await t.step(message, async () => {
      const lines: string[] = [];
      await configureLog({
        level: "warning",
        form: "json",
        write: (line) => void lines.push(line),
      });
      const uplink = new Unreachable(what, ["off", "off", "off", "refused", "refused", "off"]);
      const agent = await Agent.open(
        { uplink, apps: [], nowMs: () => HOUR_MS },
        new AbortController().signal,
      );
      try {
        await uplink.tried;
      } finally {
        await agent.close();
        await configureLog({ level: "error", form: "text", write: () => {} });
      }
      const told = lines.map((line) => JSON.parse(line));
      deepEqual(
        told.map((one) => [one.message, /off|refused/.exec(one.properties.error)?.[0]]),
        ["off", "refused", "off"].map((reason) => [message, reason]),
      );
    });
  }
});
