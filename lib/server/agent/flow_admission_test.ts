import { rejects } from "node:assert/strict";
import type { CarrierHost } from "../../io/mod.ts";
import { FlowAdmission } from "./flow_admission.ts";

Deno.test("FlowAdmission denies nobody while it does not know the policy: another try may find it", async () => {
  const admission = new FlowAdmission({
    agentId: () => "agent",
    policy: () => null,
    report: () => Promise.reject(new Error("nothing was begun")),
    nowMs: () => 0,
  });
  const client = {} as Parameters<FlowAdmission["hostFor"]>[0];
  const app = { name: "web", labels: {}, tcpPorts: null } as unknown as Parameters<
    FlowAdmission["hostFor"]
  >[1];
  const open = { port: 80 } as Parameters<CarrierHost["open"]>[0];
  await rejects(admission.hostFor(client, app).open(open, AbortSignal.timeout(1000)), {
    code: "no-agent",
    message: /no policy yet/,
  });
  await admission.close();
});
