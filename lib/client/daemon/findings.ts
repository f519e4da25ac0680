import type { FindingCode, Told } from "../../refusal/mod.ts";

/** Something a person should know of; a helper of another version may know other codes. */
export interface Finding {
  readonly code: Told<FindingCode>;
  readonly message: string;
  readonly hint?: string;
}

/** What a person should know of while it lasts, one finding a code; those of the compiled state are apart from these. */
export class Findings {
  readonly #byCode = new Map<string, Finding>();

  note(finding: Finding): void {
    this.#byCode.set(finding.code, finding);
  }

  clear(code: string): void {
    this.#byCode.delete(code);
  }

  list(): readonly Finding[] {
    return [...this.#byCode.values()];
  }
}
