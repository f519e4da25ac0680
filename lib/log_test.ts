import { equal } from "node:assert/strict";
import { configureLog, getLogger } from "./log.ts";

Deno.test("configureLog() writes a record as one line, whatever its values hold", async (t) => {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  const evil = "a\x1b[2J\nb\u202e";
  const log = () => getLogger("test").warning("Heard", { name: evil, list: [evil] });
  try {
    await t.step("text", async () => {
      await configureLog({ level: "info", form: "text", write });
      log();
      const shown = String.raw`name=a\x1b[2J\x0ab\u202e list=["a\u001b[2J\nb\u202e"]`;
      equal(lines.pop()?.slice(13), `warning test: Heard ${shown}\n`);
    });
    await t.step("JSON", async () => {
      await configureLog({ level: "info", form: "json", write });
      log();
      equal(JSON.parse(lines.pop() ?? "").properties.name, evil);
    });
  } finally {
    await configureLog({ level: "error", form: "text", write: () => {} });
  }
});
