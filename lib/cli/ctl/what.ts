/**
 * How people name a resource: `role/dev`, `role dev`, and for all of a kind `role` or `roles`.
 *
 * @module
 */
import { RESOURCE_KINDS, type ResourceKind } from "../../config/mod.ts";
import { UsageError } from "../../error.ts";

/** What is listed by a command of its own. */
const LISTED: readonly string[] = ["token", "agent", "session", "app"];

const EXAMPLES: Readonly<Record<ResourceKind, string>> = {
  lock: "lock-0a1b2c3d",
  oidc: "corp",
  public_addr: "db.example.com",
  remote_cluster: "leaf.example.com",
  role: "dev",
  trusted_cluster: "root.example.com",
  user: "alice",
  vnet_config: "vnet-config",
};

/** Splits `KIND/NAME`, or takes the name from the argument after it. */
export function splitWhat(
  what: string,
  more: string | undefined,
): { readonly kind: string; readonly name: string | undefined } {
  const slash = what.indexOf("/");
  const kind = slash === -1 ? what : what.slice(0, slash);
  const name = slash === -1 ? "" : what.slice(slash + 1);
  if (name !== "" && more !== undefined) {
    throw new UsageError("usage", `Cannot read "${what} ${more}": there are two names`, {
      hint: `Write ${kind}/${name} or ${kind} ${more}`,
    });
  }
  return { kind, name: name === "" ? more : name };
}

/** Reads what a resource command is about. @throws {UsageError} `usage`. */
export function parseWhat(
  what: string,
  more: string | undefined,
): { readonly kind: ResourceKind; readonly name: string | undefined } {
  const { kind: text, name } = splitWhat(what, more);
  const plain = text.replaceAll("-", "_");
  const kind = RESOURCE_KINDS.find((known) => known === plain || `${known}s` === plain);
  if (kind !== undefined) return { kind, name };
  const listed = LISTED.find((known) => known === plain || `${known}s` === plain);
  throw new UsageError("usage", `There is no kind of resource "${text}"`, {
    hint: listed === undefined
      ? `There are ${RESOURCE_KINDS.join(", ")}`
      : `\`vnet ctl ${listed}s ls\` lists ${listed}s`,
  });
}

/** Reads what one resource a command is about. @throws {UsageError} `usage`. */
export function parseOneResource(
  what: string,
  more: string | undefined,
  act: string,
): { readonly kind: ResourceKind; readonly name: string } {
  const { kind, name } = parseWhat(what, more);
  if (name !== undefined) return { kind, name };
  if (kind === "vnet_config") return { kind, name: "vnet-config" };
  throw new UsageError("usage", `Missing argument NAME: which ${kind} to ${act}`, {
    hint: `For example \`vnet ctl ${act === "remove" ? "rm" : act} ${kind}/${EXAMPLES[kind]}\``,
  });
}
