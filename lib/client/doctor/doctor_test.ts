import { deepEqual, equal, match, ok } from "node:assert/strict";
import {
  decodeQuery,
  encodeVerdict,
  frameMessage,
  FrameSplitter,
  RESOLV_CONF_MAGIC,
} from "../../dns/mod.ts";
import type { Facts } from "../../health/mod.ts";
import { HEALTHY } from "../../../tests/doubles/healthy.ts";
import { type Endpoint, formatIp, ipv4, parseIp, parsePrefix } from "../../ip/mod.ts";
import { connectionsIn, parseTcpTable } from "./connections.ts";
import { askServer, askSystem } from "./ask.ts";
import { findDaemon } from "./daemon.ts";
import { readJournal, readResolvConf } from "./machine.ts";
import { Meter, required, Unmeasured } from "./measure.ts";
import { repairLeftovers } from "./repair.ts";
import { parsePorts } from "./target.ts";

const never = new AbortController().signal;

Deno.test("Meter.measure() gives a value, or the reason why there is none", async (t) => {
  const cases: [name: string, act: (signal: AbortSignal) => unknown, want: unknown][] = [
    ["a value", () => 42, { kind: "measured", value: 42 }],
    ["a failure", () => Promise.reject(new Error("no")), {
      kind: "unknown",
      reason: "could not be measured: no",
    }],
    ["a known reason", () => {
      throw new Unmeasured("vnet is not up");
    }, { kind: "unknown", reason: "vnet is not up" }],
    ["an act that hangs", () => new Promise(() => {}), {
      kind: "unknown",
      reason: "could not be measured within 20 ms",
    }],
    ["another's reason", () => required({ kind: "unknown", reason: "earlier" }), {
      kind: "unknown",
      reason: "earlier",
    }],
  ];
  const meter = new Meter(never);
  for (const [name, act, want] of cases) {
    await t.step(name, async () => deepEqual(await meter.measure(name, act, 20), want));
  }
  deepEqual(meter.attempts.map(({ name }) => name), cases.map(([name]) => name).toSorted());
  equal(meter.attempts.find(({ name }) => name === "a value")?.reason, null);
});

// The form of /proc/net/tcp on a little-endian machine: one established, one listening, one in TIME_WAIT.
const TCP =
  `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0101400A:8D2E 04034064:1538 01 00000000:00000000 00:00000000 00000000  1000        0 33 1 0 20 4
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 34 1 0 100 0
   2: 0100007F:8D2E 04034064:1538 06 00000000:00000000 00:00000000 00000000  1000        0 0 1 0 20 4
`;

Deno.test("parseTcpTable() lists remote ends of living connections", () => {
  deepEqual(parseTcpTable(TCP).map(formatIp), ["100.64.3.4"]);
  const table6 = `sl\n 0: ${"0".repeat(32)}:1 ${"B80D0120".padEnd(24, "0")}01000000:50 01 x\n`;
  deepEqual(parseTcpTable(table6).map(formatIp), ["2001:db8::1"]);
  const mapped = `sl\n 0: ${"0".repeat(32)}:1 ${"0".repeat(16)}FFFF000004034064:50 01 x\n`;
  deepEqual(parseTcpTable(mapped).map(formatIp), ["100.64.3.4"]);
  deepEqual(parseTcpTable("sl\n 0: garbage\n\n"), []);
});

Deno.test("connectionsIn() finds a connection of this machine", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using client = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  using _server = await listener.accept();
  ok(client.remoteAddr.port > 0);
  ok((await connectionsIn([parsePrefix("127.0.0.0/8")])).length >= 2);
  deepEqual(await connectionsIn([parsePrefix("198.18.0.0/15")]), []);
});

Deno.test("askServer() tells answers, refusals and silence apart", async (t) => {
  await using server = new Double();
  const cases: [name: string, transport: "udp" | "tcp", want: object][] = [
    ["ours.test", "udp", { kind: "addresses", addresses: [parseIp("100.64.0.1")] }],
    ["ours.test", "tcp", { kind: "addresses", addresses: [parseIp("100.64.0.1")] }],
    ["none.test", "udp", { kind: "negative", code: "NXDOMAIN" }],
    ["none.test", "tcp", { kind: "negative", code: "NXDOMAIN" }],
    ["silent.test", "udp", { kind: "silent", afterMs: 1500 }],
  ];
  for (const [name, transport, want] of cases) {
    await t.step(`${name} over ${transport}`, async () => {
      deepEqual(await askServer(server.endpoint, name, transport, never), want);
    });
  }
  await t.step("nobody there over tcp", async () => {
    const gone: Endpoint = { address: ipv4(0x7f00_0001), port: 1 };
    const outcome = await askServer(gone, "ours.test", "tcp", never);
    equal(outcome.kind, "unreachable");
  });
});

Deno.test("askSystem() asks the C library", async () => {
  const found = await askSystem("localhost", never);
  ok(found.kind === "addresses" && found.addresses.some((one) => formatIp(one) === "127.0.0.1"));
  equal((await askSystem("vnet-diag-0.invalid", never)).kind, "negative");
});

Deno.test("parsePorts() reads ports as `vnet apps` writes them", () => {
  deepEqual(parsePorts(["5432", "8000-8010"]), [
    { first: 5432, last: 5432 },
    { first: 8000, last: 8010 },
  ]);
  equal(parsePorts(undefined), null);
});

Deno.test("readResolvConf() and readJournal() describe what lies there", async () => {
  await inDirectory(async (dir) => {
    const path = `${dir}/resolv.conf`;
    deepEqual(await readResolvConf(path), {
      path,
      kind: "missing",
      isOurs: false,
      owner: null,
      nameservers: [],
      modifiedMs: null,
    });
    await Deno.writeTextFile(`${dir}/target`, `${RESOLV_CONF_MAGIC}\nnameserver 127.0.53.1\n`);
    await Deno.symlink("target", path);
    const { kind, isOurs, nameservers } = await readResolvConf(path);
    deepEqual([kind, isOurs, nameservers], ["symlink", true, ["127.0.53.1"]]);
    const journal = { path: `${dir}/osdns.journal.json`, hasEntry: false, isOwned: false };
    deepEqual(await readJournal(dir), journal);
    await Deno.writeTextFile(journal.path, "{}");
    using lock = await Deno.open(`${dir}/osdns.lock`, { write: true, create: true });
    deepEqual(await readJournal(dir), { ...journal, hasEntry: true });
    await lock.lock(true);
    deepEqual(await readJournal(dir), { ...journal, hasEntry: true, isOwned: true });
  });
});

Deno.test("findDaemon() tells a crash, an end by itself and an end from each other", async () => {
  await inDirectory(async (dir) => {
    const paths = {
      configDir: dir,
      stateDir: dir,
      runtimeDir: dir,
      controlSocket: `${dir}/control.sock`,
    };
    deepEqual(await findDaemon(paths), { kind: "down", crashed: false, lastError: null });
    await Deno.writeTextFile(`${dir}/leases.json`, "{}");
    await Deno.writeTextFile(`${dir}/start-error.json`, `{"message":"Cannot open TUN"}`);
    await Deno.utime(`${dir}/leases.json`, 1_000, 1_000);
    deepEqual(await findDaemon(paths), {
      kind: "down",
      crashed: false,
      lastError: "Cannot open TUN",
    });
    await Deno.utime(`${dir}/start-error.json`, 999, 999);
    deepEqual(await findDaemon(paths), { kind: "down", crashed: false, lastError: null });
    // A listener that is closed by the kernel alone leaves its socket behind, as a killed daemon does.
    const script = `Deno.listen({transport:"unix",path:Deno.args[0]});Deno.exit(0)`;
    await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--ext=ts", script, paths.controlSocket],
    }).output();
    deepEqual(await findDaemon(paths), { kind: "down", crashed: true, lastError: null });
  });
});

Deno.test("repairLeftovers() leaves a living vnet alone, and needs root for the machine", async () => {
  await inDirectory(async (dir) => {
    const paths = { configDir: dir, stateDir: dir, runtimeDir: dir, controlSocket: `${dir}/c` };
    const repair = (facts: Facts) => repairLeftovers({ facts, paths, journalDir: dir });
    deepEqual(await repair(HEALTHY), []);
    const path = `${dir}/osdns.journal.json`;
    const left: Facts = {
      ...HEALTHY,
      daemon: { kind: "measured", value: { kind: "down", crashed: true, lastError: null } },
      journal: { kind: "measured", value: { path, hasEntry: true, isOwned: false } },
    };
    const [step, ...rest] = await repair(left);
    equal(step?.done, false);
    match(step?.text ?? "", /needs root/);
    equal(rest.length, 1); // the socket is its owner's to remove, and is not there
    await Deno.writeTextFile(paths.controlSocket, "");
    deepEqual((await repair(left)).map(({ done }) => done), [false, true]);
  });
});

async function inDirectory(act: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "vnet-doctor-" });
  try {
    await act(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** A small DNS server over UDP and TCP: knows ours.test, says nothing about silent.test. */
class Double implements AsyncDisposable {
  readonly endpoint: Endpoint;
  readonly #tcp: Deno.TcpListener;
  readonly #udp: Deno.DatagramConn;
  readonly #serving: Promise<unknown>;

  constructor() {
    this.#tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = this.#tcp.addr;
    this.#udp = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port });
    this.endpoint = { address: ipv4(0x7f00_0001), port };
    this.#serving = Promise.all([this.#serveUdp(), this.#serveTcp()]);
  }

  async #serveUdp(): Promise<void> {
    for await (const [question, from] of this.#udp) {
      const answer = answerTo(question);
      if (answer !== null) await this.#udp.send(answer, from);
    }
  }

  async #serveTcp(): Promise<void> {
    for await (const conn of this.#tcp) {
      using client = conn;
      const chunk = new Uint8Array(512);
      const count = await client.read(chunk) ?? 0;
      const [question] = new FrameSplitter().push(chunk.subarray(0, count)) ?? [];
      const answer = question === undefined ? null : answerTo(question);
      if (answer !== null) await client.write(frameMessage(answer));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#tcp.close();
    this.#udp.close();
    await this.#serving;
  }
}

function answerTo(bytes: Uint8Array): Uint8Array | null {
  const decoded = decodeQuery(bytes);
  if (decoded.kind !== "query") return null;
  const { query } = decoded;
  const { name } = query.question;
  if (name === "silent.test") return null;
  const zone = "test" as never;
  return encodeVerdict(
    query,
    name === "ours.test"
      ? {
        kind: "answer",
        rule: "app-address",
        zone,
        answers: [{ type: 1, ttlSeconds: 10, rdata: Uint8Array.of(100, 64, 0, 1) }],
      }
      : { kind: "nx-domain", rule: "doh-canary", zone, error: null },
    { transport: "udp" },
  );
}
