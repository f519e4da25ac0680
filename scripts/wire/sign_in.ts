/**
 * What must hold for whatever an identity provider says of somebody: nobody becomes a user of a name, with roles or
 * with claims that a certificate cannot have; and what knocks at the listener of a login is a request or nothing.
 *
 * @module
 */
import { parseRequest } from "../../lib/client/cluster/own/loopback.ts";
import { checkResource, type OidcSpec } from "../../lib/config/mod.ts";
import { isPrincipalName, signIn } from "../../lib/identity/mod.ts";
import type { Random } from "../dns/random.ts";
import { must } from "./must.ts";

const ROLES = ["dev", "ops"];
const SPECS: readonly OidcSpec[] = [{}, { username_claim: "email" }, { username_claim: "sub" }]
  .map((more) => {
    const resource = checkResource({
      kind: "oidc",
      version: "v1",
      metadata: { name: "corp" },
      spec: {
        issuer_url: "https://id.example",
        client_id: "vnet",
        claims_to_roles: [
          { claim: "groups", value: "dev*", roles: ["dev"] },
          { claim: "groups", value: "^(ops|sre)+$", roles: ["ops"] },
        ],
        claims: ["groups", "team"],
        ...more,
      },
    }, "oidc/corp");
    if (resource.kind !== "oidc") throw new TypeError("It is of another kind");
    return resource.spec;
  });

/** @returns Whether somebody is a user by these claims. */
export function checkClaims(claims: unknown, random: Random): boolean {
  // The library takes nothing else for claims
  if (typeof claims !== "object" || claims === null || Array.isArray(claims)) return false;
  const read = signIn(random.pick(SPECS), claims as Record<string, unknown>);
  if (read.kind === "bad") {
    must(read.words.length < 1000, "What is wrong is said at length");
    return false;
  }
  must(isPrincipalName(read.person.user), "It is no user name");
  must(read.roles.length > 0 && read.roles.every((role) => ROLES.includes(role)), "Other roles");
  const kept = read.person.claims;
  must(Object.keys(kept).every((name) => ["groups", "team"].includes(name)), "Other claims");
  must(JSON.stringify(kept).length <= 4096, "Too much for a certificate");
  must(
    Object.values(kept).every((values) =>
      values.length > 0 && values.length <= 16 && values.every((one) => one.length <= 256)
    ),
    "Values that no certificate has",
  );
  return true;
}

/** @returns Whether it is a request. */
export function checkLoopback(bytes: Uint8Array<ArrayBuffer>): boolean {
  const request = parseRequest(new TextDecoder("latin1").decode(bytes));
  if (request === null) return false;
  must(request.target.startsWith("/") && !/[\r\n ]/.test(request.target), "It is no path");
  must(request.cookies.every((cookie) => !/[\r\n;]/.test(cookie)), "It is no cookie");
  must(request.host === null || !/[\r\n]/.test(request.host), "It is no host");
  return true;
}
