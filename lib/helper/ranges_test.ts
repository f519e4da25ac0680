import { deepEqual, equal, match } from "node:assert/strict";
import { DEFAULT_HELPER_POLICY, type HelperPolicy } from "../config/mod.ts";
import { formatPrefix, parseIp, parsePrefix } from "../ip/mod.ts";
import {
  applyRequest as apply,
  openRequest as open,
  RawClient,
} from "../../tests/doubles/raw_client.ts";
import { MemoryRoot } from "../../tests/doubles/root_machine.ts";
import { serveHelper } from "./serve.ts";

async function withHelper(
  policy: Partial<HelperPolicy>,
  test: (client: RawClient, machine: MemoryRoot) => Promise<void>,
): Promise<void> {
  const machine = new MemoryRoot();
  const [near, far] = machine.sockets.messagePair();
  const served = serveHelper({
    machine,
    descriptor: far,
    admission: null,
    journalDir: "/journal",
    repair: null,
    policy: { ...DEFAULT_HELPER_POLICY, ...policy },
    signal: new AbortController().signal,
  });
  const socket = machine.sockets.adoptMessages(near);
  {
    using client = new RawClient(socket, machine.sockets);
    await test(client, machine);
  }
  await socket.close();
  await served;
}

const routesOf = (machine: MemoryRoot) => machine.routing.routesOf("vnet0").map(formatPrefix);

Deno.test("serveHelper() refuses what root does not allow, and breaks nobody's connection for it", async () => {
  await withHelper({}, async (client, machine) => {
    equal(await client.codeOf(open("10.9.9.0/24")), "range-forbidden");
    equal(await client.codeOf(open("100.64.0.0/16")), null);
    deepEqual(machine.sockets.destroyed, ["100.64.0.0/16"]);
    for (const route of ["10.9.9.0/24", "10.0.0.0/8", "192.168.0.0/16"]) {
      equal(await client.codeOf(apply("100.64.0.0/16", route)), "range-forbidden");
    }
    equal(await client.codeOf(apply("8.8.8.0/24")), "range-refused");
    deepEqual(routesOf(machine), []);
    deepEqual(machine.recorded, []); // else a repair would end what goes there
    deepEqual(machine.sockets.destroyed, ["100.64.0.0/16"]);
  });
});

Deno.test("serveHelper() gives out what root allows, and says what that is", async () => {
  await withHelper({ ranges: [parsePrefix("10.9.0.0/16")] }, async (client, machine) => {
    const detected = await client.ask({ op: "detect", mode: "auto" });
    match(JSON.stringify(detected), /"ranges":\["10\.9\.0\.0\/16"\]/);
    equal(await client.codeOf(open("10.9.9.0/24")), null);
    equal(await client.codeOf(apply("10.9.9.0/24", "100.64.0.0/10")), null);
    deepEqual(routesOf(machine), ["10.9.9.0/24", "100.64.0.0/10"]);
    equal(await client.codeOf(apply("10.8.0.0/16")), "range-forbidden");
  });
});

Deno.test("serveHelper() looks itself, at every request, at what is in use", async (t) => {
  const connection = { kind: "connection", address: parseIp("100.70.9.7") } as const;
  await withHelper({}, async (client, machine) => {
    machine.routing.inUse = [connection];
    await t.step("a live connection", async () => {
      equal(await client.codeOf(open("100.64.0.0/10")), "range-in-use");
      equal(await client.codeOf(open("100.80.0.0/12")), null);
      equal(await client.codeOf(apply("100.80.0.0/12", "100.70.0.0/16")), "range-in-use");
      deepEqual(machine.sockets.destroyed, ["100.80.0.0/12"]);
    });
    await t.step("one that has ended", async () => {
      machine.routing.inUse = [];
      equal(await client.codeOf(apply("100.80.0.0/12", "100.70.0.0/16")), null);
    });
    await t.step("those through the client's own link", async () => {
      machine.routing.inUse = [connection];
      equal(await client.codeOf(apply("100.80.0.0/12", "100.70.0.0/16")), null);
      equal(await client.codeOf(apply("100.80.0.0/12", "100.64.0.0/12")), null);
    });
    await t.step("a nameserver that a vnet stands in for", async () => {
      machine.dns.hiddenServers = [parseIp("100.100.2.136")];
      equal(await client.codeOf(apply("100.80.0.0/12", "100.100.0.0/16")), "range-in-use");
      deepEqual(routesOf(machine), ["100.80.0.0/12", "100.64.0.0/12"]);
    });
    await t.step("a gateway", async () => {
      machine.routing.inUse = [{ kind: "gateway", address: parseIp("100.96.0.1") }];
      equal(await client.codeOf(apply("100.96.0.0/12")), "range-in-use");
    });
  });
});
