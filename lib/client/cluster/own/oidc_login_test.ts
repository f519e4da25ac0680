import { equal, throws } from "node:assert/strict";
import type { Profile } from "../profile.ts";
import { chooseOffer } from "./oidc_login.ts";

const offers = [{ name: "corp", display: "Corp" }, { name: "guests", display: "Guests" }];
const found = (oidc?: typeof offers) => ({
  auth: {
    type: "local" as const,
    second_factor: "off" as const,
    ...(oidc === undefined ? {} : { oidc }),
  },
});
const profile = (connector?: string): Profile => ({
  kind: "vnet",
  proxy: { host: "proxy.test", port: 443 },
  cluster: "test",
  user: "ann",
  expiresMs: 0,
  ...(connector === undefined ? {} : { connector }),
  credentials: {},
});

Deno.test("chooseOffer() goes by what is said, then by the login before, then by the cluster", async (t) => {
  type Request = Parameters<typeof chooseOffer>[1];
  const me = { user: "me", isUserNamed: false, earlier: null };
  const rows: readonly (readonly [string, Request, typeof offers | undefined, string | null])[] = [
    ["no provider", me, undefined, null],
    ["the first provider", me, offers, "corp"],
    ["a user is named", { ...me, isUserNamed: true }, offers, null],
    ["who does not say so names one", { user: "me", earlier: null }, offers, null],
    ["a password is said", { ...me, auth: "local" }, offers, null],
    ["one is said", { ...me, auth: "guests" }, offers, "guests"],
    ["as before", { ...me, earlier: profile("guests") }, offers, "guests"],
    [
      "as before, its user named",
      {
        user: "ann",
        isUserNamed: true,
        earlier: profile("guests"),
      },
      offers,
      "guests",
    ],
    [
      "another user named",
      { user: "bob", isUserNamed: true, earlier: profile("corp") },
      offers,
      null,
    ],
    ["as before, which is gone", { ...me, earlier: profile("old") }, offers, "corp"],
    ["before with a password", { ...me, earlier: profile() }, offers, null],
  ];
  for (const [what, request, oidc, name] of rows) {
    await t.step(what, () => equal(chooseOffer(found(oidc), request)?.name ?? null, name));
  }
  throws(() => chooseOffer(found(offers), { ...me, auth: "x" }), { code: "oidc-unknown" });
  throws(() => chooseOffer(found(), { ...me, auth: "corp" }), { code: "oidc-unknown" });
});
