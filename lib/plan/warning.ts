/** Something in the clusters' answers that cannot be honoured. */
export interface PlanWarning {
  readonly code:
    | "zone-refused"
    | "zone-limit"
    | "name-invalid"
    | "name-outside-zones"
    | "name-taken"
    | "range-invalid"
    | "range-overlap"
    | "range-limit";
  readonly message: string;
}
