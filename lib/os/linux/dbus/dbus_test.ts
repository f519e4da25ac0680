import { deepEqual, equal, match, rejects } from "node:assert/strict";
import { OsError } from "../../../error.ts";
import { type Answer, Dbus } from "./dbus.ts";
import { DbusError } from "./error.ts";
import type { Message } from "./message.ts";
import { makeDirectory, startBus, type TestBus } from "../../../../tests/doubles/osdns/bus.ts";
import { needing } from "../../../../tests/needs.ts";

const NAME = "org.vnet.Test1";
const OBJECT = { destination: NAME, path: "/org/vnet/Test1", interface: NAME };

/** A tiny service: echoes, sleeps, fails, and has one property. */
function serve(bus: TestBus, events: string[]): Promise<Dbus> {
  const answer = (call: Message): Promise<Answer> => {
    events.push(`${call.member}`);
    switch (call.member) {
      case "Echo":
        return Promise.resolve({ signature: call.signature, body: call.body });
      case "Never":
        return new Promise(() => {});
      case "Get":
        return Promise.resolve({
          signature: "v",
          body: [{ signature: "a(sb)", value: [["x", true]] }],
        });
      case "Refuse":
        return Promise.reject(new DbusError("org.vnet.Error.Busy", "not today"));
      default:
        return Promise.reject(new DbusError("org.freedesktop.DBus.Error.UnknownMethod", ""));
    }
  };
  return Dbus.connect({ socket: bus.socket, onCall: answer });
}

Deno.test(needing(["dbus-daemon", "busctl"], "Dbus speaks to a real dbus-daemon", speakToDaemon));

async function speakToDaemon(t: Deno.TestContext): Promise<void> {
  await using directory = await makeDirectory();
  await using bus = await startBus(directory.path);
  const events: string[] = [];
  const signals: Message[] = [];
  let heard: (() => void) | null = null;
  await using service = await serve(bus, events);
  await using client = await Dbus.connect({
    socket: bus.socket,
    onSignal: (signal) => {
      signals.push(signal);
      heard?.();
    },
  });

  await t.step("a name is taken once", async () => {
    equal(await client.hasOwner(NAME), false);
    await service.requestName(NAME);
    equal(await client.hasOwner(NAME), true);
    await rejects(client.requestName(NAME), DbusError);
    match(client.uniqueName, /^:1\.\d+$/);
  });

  await t.step("values go there and back", async () => {
    const signature = "ia(iayqs)a(sb)ta{sv}";
    const body = [
      -7,
      [[2, Uint8Array.of(127, 0, 0, 1), 5300, ""]],
      [["zone.example", true], ["other", false]],
      1n << 40n,
      new Map([["key", { signature: "as", value: ["x", "ü"] }]]),
    ];
    deepEqual(await client.call({ ...OBJECT, member: "Echo", signature, body }), body);
  });

  await t.step("64 calls at once find their answers", async () => {
    const calls = Array.from({ length: 64 }, async (_, i) => {
      const [value] = await client.call({
        ...OBJECT,
        member: "Echo",
        signature: "u",
        body: [i],
      });
      equal(value, i);
    });
    const tooMany = client.call({ ...OBJECT, member: "Echo", signature: "u", body: [64] });
    await rejects(tooMany, /too many calls/);
    await Promise.all(calls);
  });

  await t.step("a large message arrives whole", async () => {
    const text = "x".repeat(200_000);
    const [back] = await client.call({ ...OBJECT, member: "Echo", signature: "s", body: [text] });
    equal(back, text);
  });

  await t.step("a property is unwrapped", async () => {
    deepEqual(await client.property({ ...OBJECT, property: "Domains" }), [["x", true]]);
  });

  await t.step("an error keeps its name", async () => {
    await rejects(
      client.call({ ...OBJECT, member: "Refuse" }),
      (error: DbusError) => error.errorName === "org.vnet.Error.Busy" && !error.isUnknown,
    );
    await rejects(
      client.call({ ...OBJECT, member: "Nope" }),
      (error: DbusError) => error.isUnknown,
    );
    const nobody = { ...OBJECT, destination: "org.vnet.Nobody", member: "Echo" };
    await rejects(client.call(nobody), (error: DbusError) => error.isAbsent);
  });

  await t.step("no answer is an error in time", async () => {
    await rejects(
      client.call({ ...OBJECT, member: "Never", timeoutMs: 20 }),
      (error: DbusError) => error.isAbsent,
    );
  });

  await t.step("signals that were asked for are heard", async () => {
    await client.addMatch(`type='signal',interface='${NAME}'`);
    const arrived = new Promise<void>((resolve) => heard = resolve);
    service.emit({
      path: OBJECT.path,
      interface: NAME,
      member: "Changed",
      signature: "s",
      body: ["x"],
    });
    await arrived;
    const changed = signals.filter((signal) => signal.member === "Changed");
    deepEqual(changed.map((signal) => signal.body), [["x"]]);
  });

  await t.step("busctl, another implementation, reads our answers", async () => {
    const busctl = new Deno.Command("busctl", {
      args: [
        `--address=unix:path=${bus.socket}`,
        ...["call", NAME, OBJECT.path, NAME, "Echo", "a(sb)u", "1", "zone.example", "true", "7"],
      ],
    });
    const { stdout } = await busctl.output();
    equal(new TextDecoder().decode(stdout), 'a(sb)u 1 "zone.example" true 7\n');
  });

  await t.step("calls fail at once when the connection ends", async () => {
    const pending = client.call({ ...OBJECT, member: "Never" });
    const failed = rejects(pending, (error: DbusError) => error.isAbsent);
    await client.close();
    await failed;
    await client.closed;
    await rejects(client.hasOwner(NAME), DbusError);
  });
}

Deno.test("Dbus.connect() says what is wrong when there is no bus", async (t) => {
  await using directory = await makeDirectory();
  const refuses = (socket: string, state: RegExp) =>
    rejects(Dbus.connect({ socket, timeoutMs: 50 }), (error: OsError) => {
      equal(error.code, "dbus-unreachable");
      match(error.message, state);
      return true;
    });
  await t.step("no socket", () => refuses(`${directory.path}/nothing`, /No such file/));

  const answers: [string, string, RegExp][] = [
    ["hangs up", "", /connection closed/],
    ["refuses us", "REJECTED EXTERNAL\r\n", /not let in: REJECTED/],
    ["never stops greeting", "x".repeat(10_000), /endless greeting/],
    ["speaks something else", "OK 1234\r\nHTTP/1.1 400 Bad Request\r\n\r\n", /not a D-Bus message/],
  ];
  for (const [name, answer, state] of answers) {
    await t.step(`one that ${name}`, async () => {
      const path = `${directory.path}/${name.replaceAll(" ", "-")}`;
      using listener = Deno.listen({ transport: "unix", path });
      const serving = listener.accept().then(async (connection) => {
        await connection.read(new Uint8Array(512));
        await connection.write(new TextEncoder().encode(answer));
        // Leaves the last word to the client, unless there is nothing to say to it.
        while (answer !== "" && await connection.read(new Uint8Array(512)) !== null);
        connection.close();
      });
      await refuses(path, state);
      await serving;
    });
  }
  await t.step("one that is silent", async () => {
    const path = `${directory.path}/silent`;
    using listener = Deno.listen({ transport: "unix", path });
    const serving = listener.accept();
    await refuses(path, /no answer in time/);
    (await serving).close();
  });
});
