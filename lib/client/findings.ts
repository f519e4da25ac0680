import type { StateFinding } from "./state/mod.ts";

/** What a person should know of while it lasts, one finding a code; those of the compiled state are apart from these. */
export class Findings {
  readonly #byCode = new Map<string, StateFinding>();

  note(finding: StateFinding): void {
    this.#byCode.set(finding.code, finding);
  }

  clear(code: string): void {
    this.#byCode.delete(code);
  }

  list(): readonly StateFinding[] {
    return [...this.#byCode.values()];
  }
}
