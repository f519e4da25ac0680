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

Deno.test("serveHelper() ends connections only to what nothing leads to any more", async () => {
  await withHelper({}, async (client, machine) => {
    const { destroyed } = machine.sockets;
    const afterApply = async (...routes: string[]) => {
      destroyed.length = 0;
      equal(await client.codeOf(apply(...routes)), null);
      deepEqual(routesOf(machine).toSorted(), routes.toSorted());
      return [...destroyed];
    };
    equal(await client.codeOf(open("100.64.0.0/10")), null);
    deepEqual(await afterApply("100.64.0.0/10"), ["100.64.0.0/10"]);
    // What runs in a part of a range goes on when the part is led there by itself, and back.
    deepEqual(await afterApply("100.64.0.0/10", "100.80.0.0/12"), []);
    deepEqual(await afterApply("100.64.0.0/12", "100.80.0.0/12"), ["100.96.0.0/11"]);
    deepEqual(await afterApply("100.64.0.0/10"), ["100.96.0.0/11"]);
    deepEqual(await afterApply("100.64.0.0/27", "100.96.0.0/11"), [
      ...["100.64.0.32/27", "100.64.0.64/26", "100.64.0.128/25", "100.64.1.0/24"],
      ...["100.64.2.0/23", "100.64.4.0/22", "100.64.8.0/21", "100.64.16.0/20"],
      ...["100.64.32.0/19", "100.64.64.0/18", "100.64.128.0/17", "100.65.0.0/16"],
      ...["100.66.0.0/15", "100.68.0.0/14", "100.72.0.0/13", "100.80.0.0/12"],
    ]);
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
