/**
 * The packet thread on hosts that are set up against it: a firewall that drops, strict reverse path filters,
 * other users, and a neighbour on the network. Run by tests/netns/os_test.ts in a network namespace.
 *
 * @module
 */
import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { formatIp, type IpAddress } from "../../../lib/ip/mod.ts";
import { machine } from "../../machine.ts";
import { needing } from "../../needs.ts";
import { APP4, APP6, APPS, receiveAll, SELF4, SELF6, sendBulk, World } from "./world.ts";

const { sockets, processes } = machine;

const BULK_BYTES = 16 * 1024 * 1024;

/** What ufw and firewalld amount to; not even "related" is accepted. */
const FIREWALL = `
table inet vnet_test {
	chain input {
		type filter hook input priority 0; policy drop;
		iif lo accept
		ct state established accept
	}
}
`;

async function run(command: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`${command} ${args.join(" ")}: ${text.decode(stderr)}`);
  return text.decode(stdout);
}

async function withFirewall(test: () => Promise<void>): Promise<void> {
  const child = new Deno.Command("nft", { args: ["-f", "-"], stdin: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(FIREWALL));
  await writer.close();
  ok((await child.status).success, "nft accepts the rules");
  try {
    await test();
  } finally {
    await run("nft", "delete", "table", "inet", "vnet_test");
  }
}

async function sysctl(name: string, value: string): Promise<void> {
  await Deno.writeTextFile(`/proc/sys/net/${name}`, value);
}

/** Sends some bytes up and down one connection. */
async function exchange(world: World, app: IpAddress): Promise<void> {
  const [client, { conn }] = await Promise.all([
    world.connect(app, 5432),
    world.accept(app.family),
  ]);
  const [sentUp, gotUp, sentDown, gotDown] = await Promise.all([
    sendBulk(client, BULK_BYTES),
    receiveAll(conn),
    sendBulk(conn, BULK_BYTES),
    receiveAll(client),
  ]);
  deepEqual(gotUp, { bytes: BULK_BYTES, sum: sentUp });
  deepEqual(gotDown, { bytes: BULK_BYTES, sum: sentDown });
  client.close();
  conn.close();
}

for (const app of APPS) {
  Deno.test(
    needing(
      ["nft"],
      `a firewall that drops input stops nothing (IPv${app.family})`,
      () =>
        withFirewall(async () => {
          await using world = new World();
          await exchange(world, app);
          world.datapath.setLeases([], [APP4]);
          await rejects(world.connect(app, 1), Deno.errors.ConnectionRefused);
        }),
    ),
  );

  Deno.test(
    needing(
      ["nft"],
      `a firewall that drops input lets rejections through (IPv${app.family})`,
      () =>
        withFirewall(async () => {
          await using world = new World({
            onSyn: (event, datapath) => datapath.reject(event.id, "host-unreachable"),
          });
          await rejects(world.connect(app, 80), /No route to host/);
        }),
    ),
  );
}

Deno.test("a strict reverse path filter stops nothing and finds no martians", async () => {
  await using world = new World();
  for (const link of ["all", "vnet0", "lo"]) {
    await sysctl(`ipv4/conf/${link}/rp_filter`, "1");
    await sysctl(`ipv4/conf/${link}/log_martians`, "1");
  }
  await exchange(world, APP4);
  await exchange(world, APP6);
  const counters = await Deno.readTextFile("/proc/net/netstat");
  const [names, values] = counters.split("\n").filter((line) => line.startsWith("TcpExt:"))
    .map((line) => line.split(" "));
  const filtered = values?.[names?.indexOf("IPReversePathFilter") ?? -1];
  equal(filtered, "0");
});

Deno.test(needing(["ip"], "a client from another address of this host is served too", async () => {
  await using world = new World();
  await run("ip", "address", "add", "10.77.0.1/32", "dev", "lo");
  const child = processes.spawn({
    command: Deno.execPath(),
    args: ["eval", CONNECT_FROM, "10.77.0.1", formatIp(APP4)],
    stderr: "inherit",
  });
  const { conn, flow } = await world.accept(4);
  equal(formatIp(flow.source.address), "10.77.0.1");
  await conn.write(new Uint8Array(5));
  conn.close();
  deepEqual(await processes.wait(child), { code: 5 });
  await run("ip", "address", "del", "10.77.0.1/32", "dev", "lo");
}));

/** Exits with the number of bytes read. */
const CONNECT_FROM = `
import { connect } from "node:net";
const [localAddress, host] = Deno.args;
let bytes = 0;
connect({ host, port: 443, localAddress }).on("data", (data) => bytes += data.length)
  .on("close", () => Deno.exit(bytes));
`;

Deno.test("the event says which user connects", async () => {
  await using world = new World();
  const child = processes.spawn({
    command: "bash",
    args: ["-c", `exec 3<>/dev/tcp/${formatIp(APP4)}/443`],
    env: {},
    uid: 12345,
    gid: 12345,
  });
  const { conn, flow } = await world.accept(4);
  equal(flow.uid, 12345);
  conn.close();
  deepEqual(await processes.wait(child), { code: 0 });
});

/** A host beside this one: tries what it is told on descriptor 3, and says what became of it. */
function neighbour(): string {
  return fileURLToPath(new URL("neighbour.ts", import.meta.url));
}

Deno.test(
  needing(["ip"], "a neighbour that routes the range to this host gets nothing", async () => {
    const [ours, theirs] = sockets.messagePair();
    const pid = processes.spawn({
      command: Deno.execPath(),
      args: ["run", "-A", "--quiet", neighbour()],
      descriptors: [theirs],
      namespaces: { net: true },
      stdout: "inherit",
    });
    sockets.close(theirs);
    await using control = sockets.adoptMessages(ours);
    await using world = new World();
    await run("ip", "link", "add", "lan0", "type", "veth", "peer", "lan1", "netns", String(pid));
    await run("ip", "address", "add", "10.88.0.1/24", "dev", "lan0");
    await run("ip", "-6", "address", "add", "fd88::1/64", "dev", "lan0", "nodad");
    await run("ip", "link", "set", "lan0", "up");
    const ask = async (question: unknown) => {
      await control.send(new TextEncoder().encode(JSON.stringify(question)));
      const answer = await control.receive();
      ok(answer, "the neighbour answers");
      return JSON.parse(new TextDecoder().decode(answer.bytes));
    };
    equal(await ask({ setUp: ["100.64.0.0/10", "fd7a:115c::/64"] }), "ready");
    const open = Deno.listen({ hostname: "10.88.0.1", port: 7777 });
    // the control: what is open to neighbours answers; generous, since links take a moment to come up
    equal(await ask({ connect: "10.88.0.1", port: 7777, timeoutMs: 5000 }), "connected");
    open.close();
    for (const forwarding of ["0", "1"]) {
      await sysctl("ipv4/ip_forward", forwarding);
      await sysctl("ipv6/conf/all/forwarding", forwarding);
      for (const [address, port] of targets(world)) {
        equal(await ask({ connect: address, port }), "nothing", `${address}:${port}`);
      }
    }
    equal(world.syns.length, 0);
    ok((world.datapath.stats().droppedForeign ?? 0) > 0);
    equal(world.datapath.stats().packetsWritten, 0, JSON.stringify(world.datapath.stats()));
    await sysctl("ipv4/ip_forward", "0");
    await sysctl("ipv6/conf/all/forwarding", "0");
    await run("ip", "link", "del", "lan0");
    await control.close();
    deepEqual(await processes.wait(pid), { code: 0 });
  }),
);

/** A leased address, one that is not, our own listener, and our own address otherwise. */
function targets(world: World): [address: string, port: number][] {
  return [
    [formatIp(APP4), 443],
    ["100.99.0.1", 443],
    [formatIp(SELF4), world.listenPort],
    [formatIp(APP6), 443],
    [formatIp(SELF6), world.listenPort6],
  ];
}
