import { VnetError } from "../../lib/error.ts";

/** The build cannot go on; the message says what is missing, the hint what to do about it. */
export class BuildError extends VnetError {
  override readonly name = "BuildError";
}
