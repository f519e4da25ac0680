import { equal, ok } from "node:assert/strict";
import { checkValue } from "../mistakes.ts";
import { OidcSpecSchema } from "./oidc.ts";

const GOOD = {
  issuer_url: "https://id.example.com/realms/corp",
  client_id: "vnet",
  claims_to_roles: [{ claim: "groups", value: "dev", roles: ["dev"] }],
};

Deno.test("an oidc resource names each mistake", async (t) => {
  const row = GOOD.claims_to_roles[0];
  const rows: readonly (readonly [Record<string, unknown>, path: string])[] = [
    [{ issuer_url: "http://id.example.com" }, "issuer_url"],
    [{ issuer_url: "https://user:password@id.example.com" }, "issuer_url"],
    [{ issuer_url: "https://id.example.com/?x=1" }, "issuer_url"],
    [{ issuer_url: "https://id.example.com/.well-known/openid-configuration" }, "issuer_url"],
    [{ issuer_url: "id.example.com" }, "issuer_url"],
    [{ client_id: "" }, "client_id"],
    [{ client_secret: "told to everybody" }, "client_secret"],
    [{ client_secret_file: "secret" }, "client_secret_file"],
    [{ scope: ["open id"] }, "scope[0]"],
    [{ claims_to_roles: [] }, "claims_to_roles"],
    [{ claims_to_roles: [{ ...row, value: "{{user}}" }] }, "claims_to_roles[0].value"],
    [{ claims_to_roles: [{ ...row, value: "^(?=x)$" }] }, "claims_to_roles[0].value"],
    [{ claims_to_roles: [{ ...row, roles: [] }] }, "claims_to_roles[0].roles"],
    [{ claims_to_roles: [{ ...row, claim: "a b" }] }, "claims_to_roles[0].claim"],
    [{ username_claim: "a.b" }, "username_claim"],
    [{ claims: ["a b"] }, "claims[0]"],
    [{ device_flow: "yes" }, "device_flow"],
  ];
  for (const [more, path] of rows) {
    await t.step(JSON.stringify(more), () => {
      const checked = checkValue(OidcSpecSchema, { ...GOOD, ...more }, () => null);
      const [mistake] = checked.kind === "bad" ? checked.mistakes : [];
      equal(mistake?.path, path);
    });
  }
  const checked = checkValue(OidcSpecSchema, GOOD, () => null);
  ok(checked.kind === "good" && checked.value.device_flow === false);
});
