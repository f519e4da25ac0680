import { equal } from "node:assert/strict";
import { decideLocal, type LocalDecision, type LocalPolicy } from "./local_access.ts";

const ALONE: LocalPolicy = { ownerUid: 1000, sharedWith: new Set(), containers: false };
const WITH_BOB: LocalPolicy = { ...ALONE, sharedWith: new Set([1001]) };
const WITH_ALL: LocalPolicy = { ...ALONE, sharedWith: "all" };
const CONTAINERS: LocalPolicy = { ...ALONE, containers: true };

Deno.test("decideLocal() lets in the owner, root and whom the owner named", async (t) => {
  const cases: [name: string, policy: LocalPolicy, uid: number | null, want: LocalDecision][] = [
    ["the owner", ALONE, 1000, "allowed"],
    ["root", ALONE, 0, "allowed"],
    ["another user", ALONE, 1001, "owner-refused"],
    ["nobody", ALONE, 65_534, "owner-refused"],
    ["no socket of this machine", ALONE, null, "container-refused"],
    ["a named user", WITH_BOB, 1001, "allowed"],
    ["a user who is not named", WITH_BOB, 1002, "owner-refused"],
    ["root, with somebody named", WITH_BOB, 0, "allowed"],
    ["anybody, shared with all", WITH_ALL, 1002, "allowed"],
    ["no socket of this machine, shared with all", WITH_ALL, null, "container-refused"],
    ["no socket of this machine, containers allowed", CONTAINERS, null, "allowed"],
    ["another user, containers allowed", CONTAINERS, 1001, "owner-refused"],
    ["root's own daemon, another user", { ...ALONE, ownerUid: 0 }, 1000, "owner-refused"],
  ];
  for (const [name, policy, uid, want] of cases) {
    await t.step(name, () => equal(decideLocal(policy, uid), want));
  }
});
