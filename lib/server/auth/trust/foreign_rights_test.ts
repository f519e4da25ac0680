import { equal } from "node:assert/strict";
import type { TicketHolder } from "../types.ts";
import { ForeignRights } from "./foreign_rights.ts";

function right(sessionId: string, expiresMs: number): TicketHolder {
  return {
    appId: "a",
    app: "db",
    sessionId,
    loginId: "l",
    user: "root.example/alice",
    expiresMs,
    port: 0,
    leaf: null,
    home: { cluster: "root.example", user: "alice", roles: [] },
  };
}

Deno.test("ForeignRights keeps each root's apart, and what has expired the shortest", () => {
  const rights = new ForeignRights(3);
  rights.add("other.example", right("mine", 100), 0);
  rights.add("root.example", right("lasting", 100), 0);
  rights.add("root.example", right("short", 10), 0);
  rights.add("root.example", right("third", 100), 0);
  rights.add("root.example", right("fourth", 100), 20);
  const there = (id: string) => rights.find("root.example", id) !== null;
  equal(there("lasting"), true);
  equal(there("short"), false);
  for (let i = 0; i < 10; i++) rights.add("root.example", right(`more-${i}`, 100), 20);
  equal(there("lasting"), false);
  equal(there("more-9"), true);
  equal(rights.find("other.example", "mine")?.sessionId, "mine");
  equal(rights.find("root.example", "mine"), null);
  rights.forget("other.example");
  equal(rights.find("other.example", "mine"), null);
});
