import { deepEqual, equal, match, ok } from "node:assert/strict";
import { decodeQuery, encodeVerdict, frameMessage, FrameSplitter } from "../../dns/mod.ts";
import type { Facts } from "../../health/mod.ts";
import { DOWN, HEALTHY } from "../../../tests/doubles/healthy.ts";
import { type Endpoint, formatIp, formatPrefix, ipv4, parseIp, type Prefix } from "../../ip/mod.ts";
import { askServer, askSystem } from "./ask.ts";
import { findDaemon, findProcesses } from "./daemon.ts";
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

Deno.test("findDaemon() tells a crash, an end by itself and an end from each other", async () => {
  await inDirectory(async (dir) => {
    const paths = {
      configDir: dir,
      stateDir: dir,
      runtimeDir: dir,
      controlSocket: `${dir}/control.sock`,
      appSocket: `${dir}/apps.sock`,
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

Deno.test("findProcesses() tells the processes of one journal by their words", () => {
  const journal = "--journal /var/lib/vnet";
  const lines = [
    `/usr/bin/vnet helper --client 3 ${journal} --dns auto`,
    `/usr/bin/vnet helper --client 3 --journal /root/other`,
    `/usr/bin/vnet helper --accepted ${journal}`,
    `/bin/sh -c script vnet-guard /usr/bin/vnet repair ${journal}`,
    `/usr/bin/vnet repair ${journal}`,
    `/usr/bin/vnet helper --help ${journal}`,
    `/usr/bin/vim --journal`,
    ``,
  ];
  const found = findProcesses({
    commandLines: () => lines.map((line, index) => ({ pid: index + 10, words: line.split(" ") })),
    isStopped: (pid) => pid === 12 || pid === 14,
  }, "/var/lib/vnet");
  deepEqual(found, {
    helpers: [10, 12],
    stoppedHelpers: [12],
    serviced: [12],
    guards: [13],
    repairs: [14],
  });
});

/** A machine that repairs nothing, and notes what it was asked to. */
function repairer() {
  const asked: string[] = [];
  return {
    asked,
    journal: {
      repair: (directory: string) => {
        asked.push(`repair ${directory}`);
        return Promise.resolve(["put resolv.conf back"]);
      },
    },
    sockets: {
      destroyTo: (prefix: Prefix) => asked.push(`destroy ${formatPrefix(prefix)}`),
    },
  };
}

const CRASHED: Facts = {
  ...HEALTHY,
  daemon: { kind: "measured", value: { kind: "down", crashed: true, lastError: null } },
  journal: {
    kind: "measured",
    value: { path: "/var/lib/vnet/journal", hasEntry: true, isOwned: false },
  },
};

Deno.test("repairLeftovers() leaves a living vnet alone, and needs root for the machine", async () => {
  await inDirectory(async (dir) => {
    const paths = {
      configDir: dir,
      stateDir: dir,
      runtimeDir: dir,
      controlSocket: `${dir}/c`,
      appSocket: `${dir}/a`,
    };
    const machine = repairer();
    const repair = (facts: Facts) => repairLeftovers({ machine, facts, paths, journalDir: dir });
    deepEqual(await repair(HEALTHY), []);
    const [step, ...rest] = await repair(CRASHED);
    equal(step?.done, false);
    match(step?.text ?? "", /needs root/);
    equal(rest.length, 0); // the sockets are their owner's to remove, and are not there
    await Deno.writeTextFile(paths.controlSocket, "");
    await Deno.writeTextFile(paths.appSocket, "");
    deepEqual((await repair(CRASHED)).map(({ done }) => done), [false, true, true]);
    deepEqual(machine.asked, []);
  });
});

Deno.test("repairLeftovers() has root undo the journal and end what leads nowhere, each once", async () => {
  await inDirectory(async (dir) => {
    const paths = {
      configDir: dir,
      stateDir: dir,
      runtimeDir: dir,
      controlSocket: `${dir}/c`,
      appSocket: `${dir}/a`,
    };
    const machine = repairer();
    const remote = parseIp("100.64.3.4");
    const facts: Facts = {
      ...DOWN,
      journal: CRASHED.journal,
      program: { ...DOWN.program, uid: 0 },
      connectionsInRange: { kind: "measured", value: [remote, remote, parseIp("fd7a::1")] },
    };
    const steps = await repairLeftovers({ machine, facts, paths, journalDir: "/j" });
    deepEqual(steps, [
      { done: true, text: "put resolv.conf back" },
      { done: true, text: "ended 2 connections to 100.64.3.4" },
      { done: true, text: "ended 3 connections to fd7a::1" },
    ]);
    deepEqual(machine.asked, ["repair /j", "destroy 100.64.3.4/32", "destroy fd7a::1/128"]);
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
