import { deepEqual, rejects } from "node:assert/strict";
import { type AppConfig, compileRole } from "../../config/mod.ts";
import { type CarrierHost, KnownCertificates } from "../../io/mod.ts";
import { FlowAdmission } from "./flow_admission.ts";
import type { CompiledPolicy } from "./policy.ts";

const CLIENT: Parameters<FlowAdmission["hostFor"]>[0] = {
  principal: { kind: "user", cluster: "c", name: "alice" },
  claims: {
    ...{ kind: "app", cluster: "c", app: "web", publicAddr: "web.example.com", port: 0 },
    ...{ roles: ["dev"], sessionId: "0".repeat(32), loginId: "1".repeat(32), mfaTimeMs: null },
  },
  certificateExpiresMs: 2_000,
  peer: "192.0.2.1:1",
};

/** A policy with one role, which lets in to apps with these labels. */
function policyOf(role: string, labels: Record<string, string>): CompiledPolicy {
  const compiled = compileRole(role, { allow: { app_labels: labels }, deny: {}, options: {} });
  return {
    cluster: "c",
    roles: new Map([[role, compiled]]),
    locks: [],
    trust: [{ cluster: "c", authorities: [], roleMap: null }],
    clients: new KnownCertificates(() => {
      throw new TypeError("no certificate is read");
    }),
  };
}

Deno.test("FlowAdmission denies nobody while it does not know the policy: another try may find it", async () => {
  const app = { name: "web", labels: {}, tcpPorts: null } as unknown as AppConfig;
  const admission = new FlowAdmission({
    agentId: () => "agent",
    appOf: () => app,
    policy: () => null,
    report: () => Promise.reject(new Error("nothing was begun")),
    nowMs: () => 0,
  });
  const client = {} as Parameters<FlowAdmission["hostFor"]>[0];
  const open = { port: 80 } as Parameters<CarrierHost["open"]>[0];
  await rejects(admission.hostFor(client, "web").open(open, AbortSignal.timeout(1000)), {
    code: "no-agent",
    message: /no policy yet/,
  });
  await admission.close();
});

Deno.test("FlowAdmission goes by the certificate as it was when the flow was asked for", async () => {
  using target = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const cuts: (string | undefined)[] = [];
  let nowMs = 1_000;
  let policy = policyOf("dev", { "*": "*" });
  const app = {
    name: "web",
    labels: {},
    tcpPorts: null,
    target: { host: "127.0.0.1", port: target.addr.port },
  } as unknown as AppConfig;
  const admission = new FlowAdmission({
    agentId: () => "agent",
    appOf: () => app,
    policy: () => policy,
    report: () => {
      nowMs = 3_000; // the cluster took its time
      return Promise.resolve();
    },
    nowMs: () => nowMs,
  });
  const open = { port: 80 } as Parameters<CarrierHost["open"]>[0];
  const never = new AbortController().signal;
  const flow = await admission.hostFor(CLIENT, "web").open(open, never);
  flow.started({ sentBytes: 0, receivedBytes: 0, abort: (code) => cuts.push(code) });
  deepEqual(cuts, []);
  await rejects(admission.hostFor(CLIENT, "web").open(open, never), {
    code: "certificate-expired",
  });

  // What else ends a flow goes on to do so.
  admission.review();
  deepEqual(cuts, []);
  policy = { ...policy, locks: [{ target: { user: "alice" }, expiresMs: null }] };
  admission.review();
  deepEqual(cuts, ["access-locked"]);
  flow.ended({ sentBytes: 0, receivedBytes: 0, reason: "done" });
  flow.conn.close();
  await admission.close();
});

Deno.test("FlowAdmission goes by an app as it is described now", async () => {
  using target = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const policy = policyOf("dev", { env: "dev" });
  const described = (env: string) => ({
    name: "web",
    labels: { env },
    tcpPorts: null,
    target: { host: "127.0.0.1", port: target.addr.port },
  } as unknown as AppConfig);
  let app: AppConfig | null = described("dev");
  const admission = new FlowAdmission({
    agentId: () => "agent",
    appOf: () => app,
    policy: () => policy,
    report: () => Promise.resolve(),
    nowMs: () => 1_000,
  });
  const host = admission.hostFor(CLIENT, "web");
  const open = { port: 80 } as Parameters<CarrierHost["open"]>[0];
  const never = new AbortController().signal;
  const begin = async () => {
    const cuts: string[] = [];
    const flow = await host.open(open, never);
    flow.started({ sentBytes: 0, receivedBytes: 0, abort: (code) => cuts.push(code ?? "") });
    return {
      cuts,
      [Symbol.dispose]: () => {
        flow.ended({ sentBytes: 0, receivedBytes: 0, reason: "done" });
        flow.conn.close();
      },
    };
  };
  {
    using flow = await begin();
    admission.review();
    deepEqual(flow.cuts, []);
    app = described("prod");
    admission.review();
    deepEqual(flow.cuts, ["access-denied"]);
    await rejects(host.open(open, never), { code: "access-denied" });
  }
  app = described("dev");
  {
    using flow = await begin();
    app = null;
    admission.review();
    deepEqual(flow.cuts, ["app-unknown"]);
    await rejects(host.open(open, never), { code: "app-unknown" });
  }
  await admission.close();
});
