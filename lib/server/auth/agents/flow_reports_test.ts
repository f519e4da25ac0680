import { deepEqual } from "node:assert/strict";
import type { FlowEvent } from "../../../wire/mod.ts";
import { FlowReports } from "./flow_reports.ts";

const AGENT = {
  agentId: "a",
  name: "edge",
  apps: ["db"],
  scope: { kinds: ["app"], apps: null, labels: {}, publicAddrs: null },
  certificateExpiresMs: 1,
};

function flow(id: string, event: FlowEvent["event"]): FlowEvent {
  return {
    ...{ event, session_id: "0".repeat(32), connection_id: id },
    ...{ user: "root.example/alice", app: "db", port: 1 },
  };
}

Deno.test("ends are told on, those of an agent that was shut out, too", async () => {
  const told: (readonly [string, string | undefined])[] = [];
  const reports = new FlowReports(
    {
      audit: { write: () => Promise.resolve() },
      rights: { judgeStart: () => Promise.resolve({ loginId: "login" }) },
      onEnd: ({ connection_id, reason }: FlowEvent) => void told.push([connection_id, reason]),
      nowMs: () => 0,
    } as unknown as ConstructorParameters<typeof FlowReports>[0],
  );
  const how = { partial: true };
  for (const id of ["1", "2"]) await reports.write(AGENT, [flow(id, "app.session.start")], how);
  await reports.write(AGENT, [{ ...flow("1", "app.session.end"), reason: "done" }], how);
  await reports.endAll("a");
  await reports.endAll("a");
  deepEqual(told, [["1", "done"], ["2", "agent-expelled"]]);
});
