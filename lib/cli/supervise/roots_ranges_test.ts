import { deepEqual, equal } from "node:assert/strict";
import { parsePrefix } from "../../ip/mod.ts";
import { readWord, writeWord } from "./roots_ranges.ts";

async function withFile(test: (path: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await test(`${dir}/journal/ranges-1000.json`);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const NOTHING = { cidr: null, agreed: [] };

Deno.test("readWord() reads what writeWord() wrote, for root's eyes only", () =>
  withFile(async (path) => {
    deepEqual(await readWord(path), NOTHING);
    for (
      const word of [NOTHING, {
        cidr: parsePrefix("10.99.0.0/24"),
        agreed: [parsePrefix("10.77.0.0/16"), parsePrefix("192.168.0.0/16")],
      }]
    ) {
      await writeWord(path, word);
      deepEqual(await readWord(path), word);
    }
    equal((await Deno.stat(path)).mode! & 0o777, 0o600);
  }));

Deno.test("readWord() takes nothing from a file that is not as it was written", async (t) => {
  const good = { schema: "vnet.allowed_ranges/1", cidr: null, agreed: [] as string[] };
  const cases: Readonly<Record<string, unknown>> = {
    "no JSON": "{",
    "another schema": { ...good, schema: "vnet.allowed_ranges/2" },
    "a public range": { ...good, agreed: ["8.8.8.0/24"] },
    "everything": { ...good, cidr: "0.0.0.0/0" },
    "more than fit": { ...good, agreed: Array(33).fill("10.0.0.0/16") },
  };
  for (const [name, content] of Object.entries(cases)) {
    await t.step(name, () =>
      withFile(async (path) => {
        await writeWord(path, NOTHING);
        await Deno.writeTextFile(
          path,
          typeof content === "string" ? content : JSON.stringify(content),
        );
        deepEqual(await readWord(path), NOTHING);
      }));
  }
});
