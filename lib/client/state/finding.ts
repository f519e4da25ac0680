/** Something a person should know, with what they can do about it. */
export interface StateFinding {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}
