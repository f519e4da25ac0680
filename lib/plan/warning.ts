import type { PlanWarningCode } from "../refusal/mod.ts";

/** Something in the clusters' answers that cannot be honoured. */
export interface PlanWarning {
  readonly code: PlanWarningCode;
  readonly message: string;
}
