import { deepEqual, equal, match } from "node:assert/strict";
import { type Family, needsOf, packagesOf } from "./packages.ts";
import { type Facts, familyOf, type Plan, planSetup } from "./plan.ts";

const BOOKWORM = `PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n`;
const NOBLE = "ID=ubuntu\nID_LIKE=debian\n";
const FEDORA = `NAME="Fedora Linux"\nID=fedora\n`;

function facts(changes: Partial<Facts>): Facts {
  return {
    osRelease: BOOKWORM,
    isRoot: true,
    installed: new Set(),
    present: new Set(),
    ...changes,
  };
}

Deno.test("familyOf() reads ID, then ID_LIKE", async (t) => {
  const cases: [osRelease: string, want: Family | null][] = [
    [BOOKWORM, "debian"],
    [NOBLE, "ubuntu"],
    ["ID=linuxmint\nID_LIKE='ubuntu debian'\n", "ubuntu"],
    ["ID=raspbian\nID_LIKE=debian\n", "debian"],
    [FEDORA, "fedora"],
    ['ID="rocky"\nID_LIKE="rhel centos fedora"\n', "fedora"],
    ['ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\n', "opensuse"],
    ["ID=arch", "arch"],
    ["ID=alpine\n", "alpine"],
    ["ID=nixos\n", null],
    ["VERSION_ID=12\n", null],
    ["", null],
  ];
  for (const [osRelease, want] of cases) {
    await t.step(JSON.stringify(osRelease), () => equal(familyOf(osRelease), want));
  }
});

Deno.test("planSetup() for the demo", async (t) => {
  const both = ["gcc", "libc6-dev"];
  const tell = (command: string, packages = both): Plan => ({ kind: "tell", packages, command });
  const byHand = "apt-get install --no-install-recommends gcc libc6-dev";
  const cases: [name: string, facts: Facts, want: Plan][] = [
    ["everything is there", facts({ installed: new Set(both) }), { kind: "nothing" }],
    ["root on Debian", facts({}), { kind: "install", packages: both }],
    ["root on Ubuntu", facts({ osRelease: NOBLE }), { kind: "install", packages: both }],
    ["only what is missing", facts({ installed: new Set(["gcc"]) }), {
      kind: "install",
      packages: ["libc6-dev"],
    }],
    ["a user on Debian", facts({ isRoot: false }), tell(`sudo ${byHand}`)],
    ["Debian without dpkg-query", facts({ installed: null }), tell(byHand)],
    [
      "Fedora",
      facts({ osRelease: FEDORA, installed: null }),
      tell("dnf install gcc glibc-devel   (not run by us)", ["gcc", "glibc-devel"]),
    ],
    [
      "a user on Fedora with gcc",
      facts({ osRelease: FEDORA, installed: null, isRoot: false, present: new Set(["gcc"]) }),
      tell("sudo dnf install glibc-devel   (not run by us)", ["glibc-devel"]),
    ],
    [
      "Fedora with all of it",
      facts({
        osRelease: FEDORA,
        installed: null,
        present: new Set(["gcc", "/usr/include/stdio.h"]),
      }),
      { kind: "nothing" },
    ],
    [
      "an unknown system",
      facts({ osRelease: "", installed: null }),
      tell("install by your own means: gcc libc6-dev (Debian's names)"),
    ],
  ];
  for (const [name, machine, want] of cases) {
    await t.step(name, () => deepEqual(planSetup("demo", machine), want));
  }
});

Deno.test("planSetup() for the tests wants the demo's packages too, and starts no server", () => {
  const plan = planSetup("test", facts({}));
  deepEqual(plan, { kind: "install", packages: packagesOf(needsOf("test"), "debian") });
  const told = planSetup("test", facts({ isRoot: false }));
  match(told.kind === "tell" ? told.command : "", /^sudo npx -y deno@[\d.]+ task setup$/);
});

Deno.test("no list has what takes over a machine's resolver, or holds a snap", () => {
  for (const family of ["debian", "ubuntu"] as const) {
    const names = packagesOf(needsOf("test"), family);
    deepEqual(names.filter((name) => /resolved|resolvconf|network-manager/.test(name)), []);
  }
  equal(packagesOf(needsOf("test"), "ubuntu").includes("chromium"), false);
});
