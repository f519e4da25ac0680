import { deepEqual, equal, match, ok } from "node:assert/strict";
import { exchange, withDaemon } from "../../../tests/doubles/memory_client.ts";
import { formatIp, formatPrefix, parseIp, parsePrefix } from "../../ip/mod.ts";
import type { OnRefused } from "../flows/flow_log.ts";
import { withoutVnets } from "./for_command.ts";

Deno.test("a daemon for a command serves a link that is elsewhere, and keeps nothing", async () => {
  const refused: Parameters<OnRefused>[0][] = [];
  await withDaemon({
    zones: ["company.test"],
    options: { transient: true, onRefused: (refusal) => refused.push(refusal) },
    before: ({ helper }) => {
      helper.elsewhere = true;
    },
  }, async ({ connect, ask, helper, cluster, options }) => {
    const address = await ask("db.memory.test");
    match(address, /^100\./);
    equal(cluster.around?.isOwn(parseIp(address)), false, "out here it is somebody else's");
    const made = await connect("db.memory.test", 5432);
    ok(made.kind === "connected");
    equal(await exchange(made.conn, "hello"), "HELLO");
    made.conn.close();
    deepEqual([helper.count("listen") > 0, helper.count("guard")], [true, 0]);
    cluster.refusals.set("web", "access-denied");
    await connect("web.memory.test", 80);
    await connect("db.memory.test", 1);
    deepEqual(
      refused.map(({ name, port, code }) => `${name}:${port} ${code}`),
      ["web.memory.test:80 access-denied", "db.memory.test:1 port-not-allowed"],
    );
    const kept = [...Deno.readDirSync(options.paths.stateDir)].map(({ name }) => name);
    deepEqual(kept, ["config"]);
  });
});

Deno.test("withoutVnets() has no vnet's link in the way, and all others", () => {
  const names = new Map([[1, "lo"], [2, "eth0"], [7, "vnet0"], [8, "vnetwork"]]);
  const route = (prefix: string, ifindex: number) => ({
    ...{ prefix: parsePrefix(prefix), ifindex },
    ...{ table: 254, type: 1, metric: 0 },
  });
  const routing = withoutVnets({
    linkIndex: () => 0,
    linkName: (ifindex) => {
      const name = names.get(ifindex);
      if (name === undefined) throw new Error("ENODEV");
      return name;
    },
    routes: () => [
      route("192.168.77.0/24", 2),
      route("100.64.0.0/10", 7),
      route("10.9.0.0/16", 8),
      route("10.8.0.0/16", 99),
      route("10.7.0.0/16", 0),
    ],
    addresses: () =>
      [["192.168.77.10", 2], ["100.64.0.1", 7]].map(([address, ifindex]) => ({
        address: parseIp(address as string),
        prefixLength: 32,
        ifindex: ifindex as number,
      })),
    occupants: () => [
      { address: parseIp("100.100.1.1"), kind: "connection" },
      { address: parseIp("192.168.77.1"), kind: "gateway" },
    ],
    hasIpv6: () => Promise.resolve(true),
    watch: () => {
      throw new TypeError("not watched here");
    },
    confinementOf: () => "",
  });
  deepEqual(routing.routes().map(({ prefix }) => formatPrefix(prefix)), [
    ...["192.168.77.0/24", "10.9.0.0/16", "10.8.0.0/16", "10.7.0.0/16"],
  ]);
  deepEqual(routing.addresses().map(({ address }) => formatIp(address)), ["192.168.77.10"]);
  deepEqual(routing.occupants().map(({ address }) => formatIp(address)), ["192.168.77.1"]);
  // A link inside has a number of its own, which may be that of one outside.
  ok(routing.routes().every(({ ifindex }) => ifindex > 1000));
});
