import { deepEqual, ok } from "node:assert/strict";
import { judge, NameTable, parseDomainName, parseRrType, questionOf } from "../../lib/dns/mod.ts";
import { parseIpv4, parseIpv6 } from "../../lib/ip/mod.ts";
import { ROOT } from "./pages.ts";

const APP = { ipv4: parseIpv4("100.64.71.9"), ipv6: parseIpv6("fd00:1::6440:4709") };

/** What README's words for an answer mean. */
const KINDS: readonly (readonly [words: RegExp, kind: string])[] = [
  [/^(its address|the IPv6 twin)/, "answer"],
  [/^no data/, "no-data"],
  [/^NXDOMAIN/, "nx-domain"],
  [/^the upstream's answer/, "forward"],
];

Deno.test("README's table of questions says what the program answers", async () => {
  const table = new NameTable({
    zones: ["teleport.example.com", "company.test", "lab.test"].map((suffix) => ({
      suffix: parseDomainName(suffix),
      private: suffix === "lab.test",
    })),
    names: new Map(
      ["db.teleport.example.com", "a.b.company.test"].map((name) => [parseDomainName(name), APP]),
    ),
    excluded: [parseDomainName("teleport.example.com")],
  });
  const readme = await Deno.readTextFile(`${ROOT}README.md`);
  const rows = [...readme.matchAll(/^\| `([^`]+)` ([A-Z, ]+)[^|]*\| (.*?) *\|$/gm)];
  ok(rows.length >= 8, "the table is there");
  const wrong = rows.flatMap(([, name = "", types = "", words = ""]) => {
    const wanted = KINDS.find(([form]) => form.test(words))?.[1];
    return types.split(",").map((type) => type.trim()).filter((type) => type !== "").flatMap(
      (type) => {
        const question = questionOf(parseDomainName(name), parseRrType(type)!);
        const { kind } = judge(question, table);
        return kind === wanted ? [] : [`${name} ${type}: ${kind}, not "${words}"`];
      },
    );
  });
  deepEqual(wrong, []);
});
