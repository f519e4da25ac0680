import { VnetError } from "../../error.ts";
import type { Profile } from "./profile.ts";

/**
 * Makes sure that there is a login to begin with.
 *
 * @param act What was tried, as a sentence without an end: `Cannot bring vnet up`.
 * @throws VnetError `login-needed`, `login-expired`
 */
export function requireLogin(act: string, profiles: readonly Profile[], nowMs: number): void {
  if (profiles.length === 0) {
    throw new VnetError("login-needed", `${act}: you are not logged in to any cluster`, {
      hint: "Run `vnet login HOST` first",
    });
  }
  if (profiles.every((profile) => profile.expiresMs <= nowMs)) {
    throw new VnetError("login-expired", `${act}: every login has expired`, {
      hint: "Run `vnet login` again",
    });
  }
}
