/**
 * The name of what the operating system said.
 *
 * @module
 */

/** The errno name Deno put on an error; "EIO" where there is none. */
export function errnoOf(error: unknown): string {
  if (error instanceof Error && "code" in error && typeof error.code === "string") {
    return error.code;
  }
  return "EIO";
}
