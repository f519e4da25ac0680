import { equal, match, notEqual } from "node:assert/strict";
import { CHECKS } from "../../health/mod.ts";
import { REFUSALS } from "../../refusal/mod.ts";
import { renderMarkdown } from "./markdown.ts";
import { renderTopic, TOPIC_NAMES } from "./topics.ts";

const TERMINAL = { columns: 80, ascii: false };

Deno.test("renderTopic() shows every page without its marks, in ASCII where that is all there is", async (t) => {
  for (const topic of ["topics", ...TOPIC_NAMES]) {
    await t.step(topic, () => {
      const text = renderTopic([topic], TERMINAL) ?? "";
      match(text, /\S/);
      equal(/<!--|\]\(|\*\*/.test(text.replaceAll(/^ {4}.*$/gm, "")), false);
      match(renderTopic([topic], { columns: 80, ascii: true }) ?? "", /^[\0-\x7f]+$/);
    });
  }
});

Deno.test("renderTopic() has every error code and every check", () => {
  for (const code of Object.keys(REFUSALS)) notEqual(renderTopic([code], TERMINAL), null);
  for (const { id } of CHECKS) notEqual(renderTopic(["checks", id], TERMINAL), null, id);
  equal(renderTopic(["nope"], TERMINAL), null);
  equal(renderTopic(["dns", "nope"], TERMINAL), null);
});

Deno.test("renderTopic() explains one code", () => {
  equal(
    renderTopic(["login-expired"], TERMINAL),
    `login-expired\n\n${REFUSALS["login-expired"].happened}\n\nWhat to do: ` +
      `${REFUSALS["login-expired"].remedy}\n`,
  );
});

Deno.test("renderMarkdown() sets text, lists, tables and code into lines", async (t) => {
  const page = `# Title

<!-- run: alice -->

Some **bold** words and [a link](dns.md#x), [another](https://example.com/), long enough to wrap.

- one point that goes on for longer than a line has room for it
- two

\`\`\`sh
# not a heading
vnet up
\`\`\`

| key | type | meaning |
| --- | ---- | ------- |
| \`a\` | text | What it \\| is |

### \`part.one\`

Its words.
`;
  const topicOf = (file: string) => file === "dns.md" ? "dns" : null;
  await t.assertSnapshot(renderMarkdown(page, { columns: 50, about: null, topicOf }));
  equal(
    renderMarkdown(page, { columns: 50, about: "part.one", topicOf }),
    "`part.one`\n\nIts words.\n",
  );
});
