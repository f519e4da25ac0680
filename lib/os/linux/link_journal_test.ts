import { deepEqual, equal, ok } from "node:assert/strict";
import { formatPrefix, parsePrefix } from "../../ip/mod.ts";
import { LinkRecord, repairLinks } from "./link_journal.ts";

const RANGE = parsePrefix("100.64.0.0/20");
const TWIN = parsePrefix("fd00:1::/64");

async function withDirectory(test: (directory: string) => void): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    test(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function repair(directory: string, taken: readonly string[] = []) {
  const asked: string[] = [];
  const lines = repairLinks(directory, {
    taken: taken.map((text, n) => ({ ifindex: 2 + n, prefix: parsePrefix(text) })),
    destroy: (prefix) => asked.push(formatPrefix(prefix)),
  });
  const left = [...Deno.readDirSync(directory)].map(({ name }) => name);
  return { asked, lines, left };
}

/** As a killed process leaves it: the kernel takes the lock, the file stays. */
function killed(directory: string, text: string, pid = 4711): void {
  Deno.writeTextFileSync(`${directory}/link-${pid}.json`, text);
}

function record(prefixes: readonly string[], boot = currentBoot(), ifindex = 9): string {
  return `${JSON.stringify({ v: 1, boot, ifindex, prefixes })}\n`;
}

function currentBoot(): string {
  return Deno.readTextFileSync("/proc/sys/kernel/random/boot_id").trim();
}

Deno.test("repairLinks() ends what a killed vnet's clients have, once", async () => {
  await withDirectory((directory) => {
    killed(directory, record(["100.64.0.0/20", "fd00:1::/64"]));
    const { asked, lines, left } = repair(directory);
    deepEqual(asked, ["100.64.0.0/20", "fd00:1::/64"]);
    deepEqual(lines, [
      "ended 1 connection to 100.64.0.0/20",
      "ended 2 connections to fd00:1::/64",
    ]);
    deepEqual(left, []);
    deepEqual(repair(directory), { asked: [], lines: [], left: [] });
  });
});

Deno.test("repairLinks() ends no connections to what no vnet leads into its link", async () => {
  await withDirectory((directory) => {
    killed(directory, record(["0.0.0.0/0", "8.8.8.0/24", "100.64.0.0/20", "2000::/3"]));
    deepEqual(repair(directory).asked, ["100.64.0.0/20"]);
  });
});

Deno.test("repairLinks() leaves a living vnet alone, and what it has taken over", async () => {
  await withDirectory((directory) => {
    killed(directory, record(["100.64.8.0/22", "10.9.0.0/16"]));
    {
      using living = LinkRecord.open(directory);
      living.write(5, [RANGE, TWIN]);
      living.write(5, [RANGE]);
      const { asked, left } = repair(directory);
      deepEqual(asked, ["10.9.0.0/16"]);
      deepEqual(left, [`link-${Deno.pid}.json`]);
    }
    deepEqual(repair(directory), { asked: [], lines: [], left: [] });
  });
});

Deno.test("repairLinks() ends nothing where somebody else may have connections", async (t) => {
  const cases: [name: string, text: string, taken: string[], want: string[]][] = [
    ["another network has the range", record(["100.64.0.0/20"]), ["100.64.0.0/10"], []],
    ["a default route is no network", record(["100.64.0.0/20"]), ["0.0.0.0/0"], ["100.64.0.0/20"]],
    ["nor is half of one", record(["100.64.0.0/20"]), ["0.0.0.0/1"], ["100.64.0.0/20"]],
    ["its own link is still there", record(["10.9.0.0/16"], currentBoot(), 2), ["10.9.0.0/16"], [
      "10.9.0.0/16",
    ]],
    ["the machine was started anew", record(["100.64.0.0/20"], "another"), [], []],
    ["cut off while it was written", record(["100.64.0.0/20"]).slice(0, 20), [], []],
    ["empty", "", [], []],
    ["with the rest of a longer one", `${record(["10.9.0.0/16"])}.0.0/16"]}\n`, [], [
      "10.9.0.0/16",
    ]],
  ];
  for (const [name, text, taken, want] of cases) {
    await t.step(name, async () => {
      await withDirectory((directory) => {
        killed(directory, text);
        const { asked, left } = repair(directory, taken);
        deepEqual(asked, want);
        deepEqual(left, []);
      });
    });
  }
});

Deno.test("repairLinks() looks at records only, and is content with no directory", async () => {
  await withDirectory((directory) => {
    Deno.writeTextFileSync(`${directory}/target`, record(["10.9.0.0/16"]));
    Deno.symlinkSync(`${directory}/target`, `${directory}/link-12.json`);
    Deno.writeTextFileSync(`${directory}/link-1.json.bak`, record(["10.9.0.0/16"]));
    const { asked, left } = repair(directory);
    deepEqual(asked, []);
    equal(left.length, 3);
    deepEqual(repairLinks(`${directory}/none`, { taken: [], destroy: () => 1 }), []);
  });
});

Deno.test("LinkRecord is for root's eyes", async () => {
  await withDirectory((directory) => {
    using _record = LinkRecord.open(directory);
    const { mode } = Deno.statSync(`${directory}/link-${Deno.pid}.json`);
    ok(mode !== null && (mode & 0o777) === 0o600);
  });
});
