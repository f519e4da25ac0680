import { deepEqual, equal } from "node:assert/strict";
import { AuditSchema } from "./audit_sinks.ts";

Deno.test("audit of the server's file names syslog servers and webhooks", async (t) => {
  const cases: [name: string, address: string, want: string | null][] = [
    ["UDP", "udp://10.0.0.9", "udp 10.0.0.9 514"],
    ["a port", "udp://logs.company.test:5514", "udp logs.company.test 5514"],
    ["TCP, IPv6", "tcp://[2001:db8::1]", "tcp 2001:db8::1 601"],
    ["a socket", "unix:///dev/log", "unix /dev/log"],
    ["no path", "unix://dev/log", null],
    ["TLS is not spoken", "tls://logs.company.test", null],
    ["more than an address", "udp://10.0.0.9/x", null],
  ];
  for (const [name, address, want] of cases) {
    await t.step(name, () => {
      const parsed = AuditSchema.safeParse({ syslog: address }).data;
      const [one] = parsed?.syslog ?? [];
      const text = one === undefined
        ? null
        : one.kind === "unix"
        ? `unix ${one.path}`
        : `${one.kind} ${one.host} ${one.port}`;
      equal(text, want);
    });
  }
  const urls: [url: string, good: boolean][] = [
    ["https://siem.company.test/in?x=1", true],
    ["http://siem.company.test/in", false],
    ["https://user:secret@siem.company.test/", false],
    ["siem.company.test", false],
  ];
  for (const [url, good] of urls) {
    await t.step(url, () => {
      equal(AuditSchema.safeParse({ webhooks: [{ url }] }).success, good);
    });
  }
  deepEqual(AuditSchema.parse({}), { syslog: [], webhooks: [] });
});

Deno.test("audit of the server's file names each place once", async (t) => {
  const at = (...urls: string[]) => ({ webhooks: urls.map((url) => ({ url })) });
  const cases: [name: string, audit: unknown, mistakes: readonly PropertyKey[][]][] = [
    ["other paths", at("https://siem.test/a", "https://siem.test/b"), []],
    ["other ports", at("https://siem.test/a", "https://siem.test:8443/a"), []],
    ["another query", at("https://siem.test/a?x=1", "https://siem.test/a?x=2"), [["webhooks", 1]]],
    ["the same port", at("https://siem.test", "https://SIEM.test:443/"), [["webhooks", 1]]],
    ["broken URLs", at("a", "a"), [["webhooks", 0, "url"], ["webhooks", 1, "url"]]],
    ["syslog", { syslog: ["udp://10.0.0.9", "tcp://10.0.0.9", "udp://10.0.0.9"] }, [["syslog", 2]]],
  ];
  for (const [name, audit, mistakes] of cases) {
    await t.step(name, () => {
      const paths = AuditSchema.safeParse(audit).error?.issues.map(({ path }) => path) ?? [];
      deepEqual(paths, mistakes);
    });
  }
});
