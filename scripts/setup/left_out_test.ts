import { deepEqual } from "node:assert/strict";
import { countLeftOut, parseIgnored, renderLeftOut } from "./left_out.ts";

Deno.test("parseIgnored() reads what an ignored test says it needs", async (t) => {
  const cases: [line: string, want: string[] | null][] = [
    ["dig sees what docs/dns.md says (needs dig) ... ignored (0ms)", ["dig"]],
    ["  clang (needs clang) ... ignored (0ms)", ["clang"]],
    ["a story (needs root, /dev/net/tun) ... ignored (1ms)", ["root", "/dev/net/tun"]],
    ["./lib/a.ts => judge() (fast) (needs groff) ... \x1b[33mignored\x1b[0m (0ms)", ["groff"]],
    ["a test that says nothing ... ignored (0ms)", ["what its name says"]],
    ["dig sees (needs dig) ... ok (2ms)", null],
    ['reads "a (needs dig) ... ignored (0ms)" ... ok (2ms)', null],
    ["ok | 3 passed | 0 failed | 1 ignored (2s)", null],
    ["", null],
  ];
  for (const [line, want] of cases) {
    await t.step(line.replace("ignored", "left out"), () => deepEqual(parseIgnored(line), want));
  }
});

Deno.test("renderLeftOut() is one table: what is missing, what it comes with, how many tests", () => {
  const rows = countLeftOut([["root", "dig"], ["dig"], ["/dev/net/tun"], ["dig"]]);
  deepEqual(renderLeftOut(rows, "debian", "sudo x"), [
    "Left out, for this machine lacks what it needs:",
    "missing       comes with                          left out",
    "dig           package bind9-dnsutils              3 tests",
    "/dev/net/tun  sudo modprobe tun                   1 test",
    "root          run the command as root, with sudo  1 test",
    "To bring the packages: sudo x",
  ]);
});

Deno.test("renderLeftOut() tells of packages in the words of the distribution", () => {
  const rows = countLeftOut([["dig"]]);
  deepEqual(
    renderLeftOut(rows, "fedora", "sudo dnf install bind-utils")[2],
    "dig      package bind-utils  1 test",
  );
  deepEqual(renderLeftOut([], "debian", "sudo x"), []);
  deepEqual(renderLeftOut(countLeftOut([["root"]]), "debian", "sudo x").length, 3);
});
