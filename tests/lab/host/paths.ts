/**
 * Where things are in this repository.
 *
 * @module
 */

/** A path relative to tests/lab, as an absolute path without a slash at its end. */
export function here(relative: string): string {
  return decodeURIComponent(new URL(`../${relative}`, import.meta.url).pathname).replace(/\/$/, "");
}
