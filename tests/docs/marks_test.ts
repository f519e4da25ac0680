import { deepEqual, equal, match, notEqual, ok, throws } from "node:assert/strict";
import { COMMANDS, commandsOf, markedBlocks } from "./marks.ts";
import { differenceOf } from "./output.ts";
import { readPages } from "./pages.ts";

/** More than these would be a habit. */
const MOST_NOT_RUN = 8;

Deno.test("every block of commands in README.md and docs/ is run by a test, or says why not", async () => {
  const blocks = (await readPages()).filter(({ path }) => !path.startsWith(".github/"))
    .flatMap(markedBlocks);
  const commands = blocks.filter(({ language }) => COMMANDS.has(language));
  ok(commands.length > 15, "the pages have commands");
  deepEqual(commands.filter(({ mark }) => mark === null).map(placeOf), []);
  deepEqual(
    blocks.filter(({ language, mark }) => !COMMANDS.has(language) && mark?.kind === "run")
      .map(placeOf),
    [],
    "what is run is marked as commands",
  );
});

Deno.test("a block that is not run says why, and there are few", async () => {
  const reasons = (await readPages()).flatMap(markedBlocks).flatMap((block) =>
    block.mark?.kind === "not run" ? [`${placeOf(block)}: ${block.mark.reason}`] : []
  );
  for (const reason of reasons) match(reason, /: .{20,}$/);
  ok(reasons.length <= MOST_NOT_RUN, reasons.join("\n"));
});

Deno.test("a block without a language holds no commands of ours", async () => {
  const plain = (await readPages()).flatMap(markedBlocks).filter(({ language }) => language === "");
  const hidden = plain.filter(({ text }) => /^(\$ )?(sudo )?(vnet|deno|npx) /m.test(text));
  deepEqual(hidden.map(placeOf), []);
});

Deno.test("markedBlocks() reads the mark above a block", () => {
  const text = [
    "<!-- run: alice, last, types password, ends 3 -->",
    "",
    "```sh",
    "vnet down",
    "```",
    "<!-- not run: a reason, with a comma -->",
    "```sh",
    "```",
    "<!-- file: admin /etc/x.yaml -->",
    "```yaml",
    "```",
    "text",
    "```sh",
    "```",
  ].join("\n");
  deepEqual(markedBlocks({ path: "p", text }).map(({ mark }) => mark), [
    { kind: "run", place: "alice", stays: false, last: true, types: "password", status: 3 },
    { kind: "not run", reason: "a reason, with a comma" },
    { kind: "file", place: "admin", path: "/etc/x.yaml" },
    null,
  ]);
  for (const bad of ["run: mallory", "run: alice, sometimes", "run: alice, ends late"]) {
    throws(
      () => markedBlocks({ path: "p", text: `<!-- ${bad} -->\n\`\`\`sh\n\`\`\`` }),
      SyntaxError,
    );
  }
});

Deno.test("commandsOf() joins lines, leaves comments, and knows output from commands", () => {
  const sh = { language: "sh", line: 1, text: "# why\na \\\n  b # c\n\nd" };
  deepEqual(commandsOf(sh).map(({ text, output }) => [text, output]), [["a b # c", null], [
    "d",
    null,
  ]]);
  const shown = { language: "console", line: 1, text: "$ a\n1\n2\n$ b\n$ c \\\n  d\n3" };
  deepEqual(commandsOf(shown).map(({ text, output }) => [text, output]), [
    ["a", ["1", "2"]],
    ["b", null],
    ["c d", ["3"]],
  ]);
});

Deno.test("differenceOf() holds output against the page, what differs each time by its kind", () => {
  const cases: [shown: string, printed: string, same: boolean][] = [
    ["a  b", "a b\n", true],
    [
      "at 100.64.0.1 since 2026-01-01T00:00:00Z",
      "at 100.99.1.2 since 2027-02-03T04:05:06.789Z",
      true,
    ],
    ["at fd00:1::2/64", "at fd99:c7d7:96e7::647e:2934/64", true],
    ["on fd00:1:2::/64, up", "on fd99:c7d7:96e7::/64, up", true],
    ["fd00:1:2::3: up", "fd99:c7d7:96e7::647e:2934: up", true],
    ["took 3 ms", "took 1.25 s", true],
    ["in 3 zones", "in 4 zones", false],
    ["name.test", "other.test", false],
    ["a\n…\nc", "a\nb\nb\nc", true],
    ["a\n…\nc", "a\nb", false],
    ["a … d", "a b c d", true],
    ["a", "a\nb", false],
  ];
  for (const [shown, printed, same] of cases) {
    const found = differenceOf(shown.split("\n"), printed);
    if (same) equal(found, null);
    else notEqual(found, null, `${shown} and ${printed}`);
  }
});

function placeOf({ page, line }: { readonly page: string; readonly line: number }): string {
  return `${page}:${line}`;
}
