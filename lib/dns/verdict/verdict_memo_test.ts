import { equal } from "node:assert/strict";
import fc from "fast-check";
import { parseIpv4 } from "../../ip/mod.ts";
import { judge, judgeQuery } from "./judge.ts";
import { parseDomainName } from "../name.ts";
import { NameTable } from "./name_table.ts";
import {
  decodeQuery,
  encodeQuestion,
  type Query,
  type Question,
  questionOf,
} from "../wire/query.ts";

function newTable(): NameTable {
  return new NameTable({
    zones: [{ suffix: parseDomainName("corp.example"), private: true }],
    names: new Map([[parseDomainName("db.corp.example"), {
      ipv4: parseIpv4("100.64.0.7"),
      ipv6: null,
    }]]),
  });
}

function queryOf(question: Question, upper = false): Query {
  const bytes = encodeQuestion(question, { id: 1 });
  const nameEnd = bytes.length - 4;
  if (upper) {
    for (let at = 12; at < nameEnd; at++) if (bytes[at]! >= 0x61) bytes[at]! ^= 0x20;
  }
  const decoded = decodeQuery(bytes);
  if (decoded.kind !== "query") throw new Error("not a query");
  return decoded.query;
}

Deno.test("judgeQuery() decides as judge() does, asked once or again, in any case", () => {
  const table = newTable();
  const label = fc.constantFrom("a", "b", "db", "corp", "example");
  const name = fc.oneof(
    fc.constantFrom("db.corp.example", "x.corp.example", "corp.example"),
    fc.array(label, { maxLength: 4 }).map((labels) => labels.join(".")),
  );
  const type = fc.oneof(fc.constantFrom(1, 28, 65, 97, 251, 252, 255), fc.nat(65535));
  const rrClass = fc.constantFrom(1, 1, 1, 3, 255);
  fc.assert(
    fc.property(name, type, rrClass, fc.boolean(), (name, type, rrClass, upper) => {
      const question = { name, type, class: rrClass };
      for (const transport of ["udp", "tcp", "udp", "tcp"] as const) {
        const fresh = judge(question, newTable(), transport);
        const found = judgeQuery(queryOf(question, upper), table, transport);
        equal(`${found.kind} ${found.rule}`, `${fresh.kind} ${fresh.rule}`);
        if (fresh.kind === "refuse") equal(found.kind === "refuse" && found.rcode, fresh.rcode);
      }
    }),
    { numRuns: 5000, seed: 9 },
  );
});

Deno.test("VerdictMemo.find() tells types apart that differ as letter cases do", () => {
  const { memo } = newTable();
  const https = queryOf(questionOf("db.corp.example", 0x41));
  const other = queryOf(questionOf("db.corp.example", 0x61));
  const verdict = judge(https.question, newTable());
  memo.keep(https, verdict);
  equal(memo.find(https), verdict);
  equal(memo.find(queryOf(questionOf("DB.corp.example".toLowerCase(), 0x41), true)), verdict);
  equal(memo.find(other), null);
  equal(memo.find(queryOf({ name: "db.corp.example", type: 0x41, class: 3 })), null);
});

Deno.test("VerdictMemo.keep() copies the question out of the caller's buffer", () => {
  const { memo } = newTable();
  const query = queryOf(questionOf("db.corp.example", 1));
  const verdict = judge(query.question, newTable());
  memo.keep(query, verdict);
  query.bytes.fill(0);
  equal(memo.find(queryOf(questionOf("db.corp.example", 1))), verdict);
});
