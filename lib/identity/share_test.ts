import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import { parseShare } from "../config/mod.ts";
import { resolveShares } from "./share.ts";

const FILES = {
  passwd: [
    "root:x:0:0:root:/root:/bin/sh",
    "alice:x:1000:1000::/home/alice:/bin/sh",
    "bob:x:1001:1001::/home/bob:/bin/sh",
    "carol:x:1002:100::/home/carol:/bin/sh",
    "broken:x:no:1001::/:/bin/sh",
    "# a remark",
    "",
  ].join("\n"),
  group: ["users:x:100:bob,ghost", "ops:x:200:", "alice:x:1000:", "# a remark", ""].join("\n"),
};

Deno.test("resolveShares() finds users, groups' own and listed members, and names what is not there", async (t) => {
  const cases: [shares: string[], uids: number[] | "all", unknown: string[]][] = [
    [[], [], []],
    [["user:bob"], [1001], []],
    [["user:bob", "user:bob", "user:alice"], [1000, 1001], []],
    [["group:users"], [1001, 1002], []], // bob is listed, carol's own group it is, ghost is nobody
    [["group:100"], [1001, 1002], []],
    [["group:ops"], [], []], // a group without members is no mistake
    [["user:4242"], [4242], []], // from a directory that the file does not show
    [["user:dave", "group:staff", "user:bob"], [1001], ["group:staff", "user:dave"]],
    [["user:broken"], [], ["user:broken"]],
    [["user:4294967295"], [], ["user:4294967295"]], // "no user" to the kernel
    [["group:4242"], [], ["group:4242"]],
    [["all"], "all", []],
    [["user:bob", "all"], "all", []],
    [["all", "user:dave"], "all", ["user:dave"]],
  ];
  for (const [texts, uids, unknown] of cases) {
    await t.step(texts.join(" ") || "nothing", () => {
      const shares = texts.map((text) => parseShare(text)!);
      deepEqual(resolveShares(shares, FILES), { uids, unknown });
    });
  }
});

Deno.test("resolveShares() takes any text for a file", () => {
  fc.assert(fc.property(fc.string(), fc.string(), (passwd, group) => {
    const { uids } = resolveShares([{ kind: "group", name: "users" }], { passwd, group });
    equal(uids === "all", false);
  }));
});
