import { deepEqual, equal } from "node:assert/strict";
import { parseNsswitchHosts, resolveComesBeforeDns } from "./nsswitch.ts";

Deno.test("parseNsswitchHosts() reads sources in order with what happens after them", async (t) => {
  // lines of Debian 12 (plain, with libnss-resolve, with libnss-mdns), Fedora 38 and Ubuntu 22.04
  const cases: [text: string, want: string[] | null][] = [
    ["hosts:          files dns\n", ["files", "dns"]],
    ["hosts: files resolve [!UNAVAIL=return] dns", ["files", "resolve !unavail=return", "dns"]],
    ["hosts: files mdns4_minimal [NOTFOUND=return] dns mymachines", [
      "files",
      "mdns4_minimal notfound=return",
      "dns",
      "mymachines",
    ]],
    [
      "passwd: files\n# hosts: nis\nhosts:files myhostname resolve [ !UNAVAIL=return success=merge ] dns # c",
      [
        "files",
        "myhostname",
        "resolve !unavail=return success=merge",
        "dns",
      ],
    ],
    ["hosts: files[NOTFOUND=return]dns", ["files notfound=return", "dns"]],
    ["hosts:", []],
    ["passwd: files\n", null],
    ["", null],
    ["hosts: [NOTFOUND=return", []],
  ];
  for (const [text, want] of cases) {
    await t.step(JSON.stringify(text.slice(0, 50)), () => {
      const sources = parseNsswitchHosts(text)?.map(({ service, actions }) =>
        [service, ...actions.map((a) => `${a.negated ? "!" : ""}${a.status}=${a.action}`)].join(" ")
      );
      deepEqual(sources ?? null, want);
    });
  }
});

Deno.test("resolveComesBeforeDns() is the order of the two", () => {
  const of = (text: string) => resolveComesBeforeDns(parseNsswitchHosts(`hosts: ${text}`) ?? []);
  equal(of("files resolve dns"), true);
  equal(of("files resolve"), true);
  equal(of("files dns resolve"), false);
  equal(of("files dns"), false);
});
