import type { FindingCode } from "../../refusal/mod.ts";

/** Something a person should know, with what they can do about it. */
export interface StateFinding {
  readonly code: FindingCode;
  readonly message: string;
  readonly hint?: string;
}
