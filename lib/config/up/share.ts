/**
 * Who else of a machine may use its owner's connections, as people write it.
 *
 * @module
 */

/** One wish to share. A name may also be a number. */
export type Share =
  | { readonly kind: "all" }
  | { readonly kind: "user"; readonly name: string }
  | { readonly kind: "group"; readonly name: string };

/** Reads `user:NAME`, `group:NAME` or `all`. @returns `null` for anything else. */
export function parseShare(text: string): Share | null {
  if (text === "all") return { kind: "all" };
  const [, kind, name] = /^(user|group):([^:,\s]{1,256})$/.exec(text) ?? [];
  if (name === undefined) return null;
  return kind === "user" ? { kind, name } : { kind: "group", name };
}

/** Writes a wish as people do. */
export function formatShare(share: Share): string {
  return share.kind === "all" ? "all" : `${share.kind}:${share.name}`;
}
