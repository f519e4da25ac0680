import { deepEqual, equal, match } from "node:assert/strict";
import type { Finding } from "../daemon/findings.ts";
import type { Stranger } from "../cluster/driver.ts";
import { captivePortal, type PortalSession, PortalWatch } from "./portal.ts";

Deno.test("captivePortal() goes by who answers in the cluster's place, and by nothing else", async (t) => {
  const cases: [
    name: string,
    errorCode: string | null,
    wasReached: boolean,
    stranger: Stranger | null,
    want: RegExp | null,
  ][] = [
    ["sent elsewhere", "proxy-timeout", true, { host: "login.hotel.example" }, /"login\.hotel/],
    ["told so by the network", "proxy-unreachable", false, { host: null }, /itself answers/],
    ["a certificate of somebody else", "proxy-untrusted", true, null, /certificate is not the/],
    ["another authority", "ca-pin-mismatch", true, null, /certificate is not the/],
    ["one that was never the cluster's", "proxy-untrusted", false, null, null],
    ["silence", "proxy-silent", true, null, null],
    ["no network", "proxy-unreachable", true, null, null],
    ["a login that is over", "login-expired", true, null, null],
    ["nothing wrong", null, true, null, null],
  ];
  for (const [name, errorCode, wasReached, stranger, want] of cases) {
    await t.step(name, () => {
      const finding = captivePortal({ name: "proxy.test", errorCode, wasReached }, stranger);
      equal(finding?.code, want === null ? undefined : "captive-portal");
      if (want !== null) match(finding?.message ?? "", want);
    });
  }
  const finding = captivePortal({ name: "p", errorCode: "x", wasReached: true }, {
    host: "2001:db8::1",
  });
  match(finding?.hint ?? "", /^Open http:\/\/\[2001:db8::1\]\/ in a browser/);
});

Deno.test("PortalWatch says so until the cluster is reached, which it tries by itself", async () => {
  const told: (Finding["code"] | null)[] = [];
  const over = Promise.withResolvers<void>();
  const session: PortalSession & { state: "active" | "unreachable" } = {
    name: "proxy.test",
    state: "unreachable",
    errorCode: "proxy-timeout",
    wasReached: true,
    // Somebody signed in meanwhile.
    hurry: () => void (session.state = "active"),
    findStranger: () => Promise.resolve({ host: "login.hotel.example" }),
  };
  await using watch = new PortalWatch({
    sessions: () => [session],
    onFound: ({ code }) => told.push(code),
    onOver: () => {
      told.push(null);
      over.resolve();
    },
    askMs: 1,
  });
  watch.begin();
  await over.promise;
  deepEqual(told, ["captive-portal", null]);
});
