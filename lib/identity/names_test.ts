import { deepEqual, equal, throws } from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import {
  agentDnsName,
  appIdFromDigest,
  appIdSource,
  appServerName,
  parseAgentDnsName,
  parseAppServerName,
} from "./app_id.ts";
import { formatPrincipal, parsePrincipal, type Principal } from "./principal.ts";

Deno.test("parsePrincipal() reads what formatPrincipal() writes", () => {
  const principal: fc.Arbitrary<Principal> = fc.record({
    kind: fc.constantFrom("user" as const, "agent" as const),
    cluster: fc.constantFrom("c", "root.example.com", "a-b.example"),
    name: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._@+-]{0,62}$/),
  });
  fc.assert(fc.property(principal, (one) => deepEqual(parsePrincipal(formatPrincipal(one)), one)));
});

Deno.test("parsePrincipal() answers null to other URIs", () => {
  const cases = [
    "vnet://c/user/",
    "vnet://c/user/al/ice",
    "vnet://c/user/al%2fice",
    "vnet://c/admin/alice",
    "vnet:///user/alice",
    "vnet://C/user/alice",
    "https://c/user/alice",
    " vnet://c/user/alice",
    "vnet://c/user/alice\n",
    "vnet://c/user/../alice",
  ];
  for (const uri of cases) equal(parsePrincipal(uri), null, uri);
});

Deno.test("formatPrincipal() writes no name that could be read as another", () => {
  for (const name of ["", "a/b", "a,URI:vnet://c/user/root", "-a", "a b", "a".repeat(64)]) {
    throws(() => formatPrincipal({ kind: "user", cluster: "c", name }), TypeError, name);
  }
  throws(() => formatPrincipal({ kind: "user", cluster: "c/user/x", name: "a" }), TypeError);
});

Deno.test("appIdFromDigest() is the first 16 hex digits of SHA-256(cluster/app)", () => {
  // printf c.example/db | sha256sum
  const digest = createHash("sha256").update(appIdSource("c.example", "db")).digest();
  equal(appIdFromDigest(digest), "2030bcc7daba105e");
  throws(() => appIdFromDigest(new Uint8Array(16)), RangeError);
});

Deno.test("parseAppServerName() reads what appServerName() writes, in either case", () => {
  const want = { ticket: "abcdefgh", appId: "0123456789abcdef" };
  const name = appServerName(want.ticket, want.appId);
  deepEqual(parseAppServerName(name), want);
  deepEqual(parseAppServerName(name.toUpperCase()), want);
  for (const other of [`x.${name}`, `${name}.`, name.replace(".app.", ".apps."), "", "abcdefgh"]) {
    equal(parseAppServerName(other), null, other);
  }
});

Deno.test("parseAgentDnsName() reads what agentDnsName() writes and nothing else", () => {
  equal(parseAgentDnsName(agentDnsName("0123456789abcdef")), "0123456789abcdef");
  for (const other of ["*.app.vnet.internal", "0123456789abcdef.app.vnet.internal", "*.xyz", ""]) {
    equal(parseAgentDnsName(other), null, other);
  }
});
