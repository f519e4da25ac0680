import { sha256 } from "../../../io/mod.ts";

/** What a token is known by in the store. */
export function hashToken(token: string): string {
  return sha256(token).toHex();
}
