import { equal } from "node:assert/strict";
import type { FlowEvent } from "../../../wire/mod.ts";
import type { Store } from "../../store/mod.ts";
import type { AgentIdentity } from "../types.ts";
import { FlowRights } from "./flow_rights.ts";

const AGENT: AgentIdentity = {
  agentId: "a",
  name: "edge",
  apps: ["db"],
  scope: { kinds: ["app"], apps: null, labels: {}, publicAddrs: null },
  certificateExpiresMs: 1,
};

const end = (more: Partial<FlowEvent>): FlowEvent => ({
  event: "app.session.end",
  session_id: "0".repeat(32),
  connection_id: "c",
  user: "root.example/alice",
  app: "db",
  port: 1,
  ...more,
});

Deno.test("judgeEnd() believes the end of a root's user's flow when the right is known no more", async (t) => {
  const rights = new FlowRights({
    store: { sessions: { get: () => Promise.resolve(null) } } as unknown as Store,
    gate: { denialOf: () => null },
    roots: {
      rightOf: () => null,
      askRoot: () => Promise.resolve(null),
      isForeign: (user) => user.startsWith("root.example/"),
    },
    nowMs: () => 0,
  });
  const rows: [name: string, event: FlowEvent, code: string | null][] = [
    ["a user of a root", end({}), null],
    ["of a cluster that is no root", end({ user: "other.example/alice" }), "right-unknown"],
    ["a user of this cluster", end({ user: "alice" }), "right-unknown"],
    ["an app that the agent does not serve", end({ app: "web" }), "app-unknown"],
  ];
  for (const [name, event, code] of rows) {
    await t.step(
      name,
      async () => equal((await rights.judgeEnd(AGENT, event))?.code ?? null, code),
    );
  }
});
