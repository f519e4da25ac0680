import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import net from "node:net";
import { formatIp, type IpAddress, NAT64_NAME, parseIp } from "../ip/mod.ts";
import { dialTcp, tcpDialer } from "./tcp.ts";

const NEVER = new AbortController().signal;

/** The timer that the kernel runs for a connection from this port: its kind and when it fires, in seconds. */
async function timerOf(localPort: number): Promise<{ kind: string; seconds: number }> {
  const port = localPort.toString(16).toUpperCase().padStart(4, "0");
  const table = await Deno.readTextFile("/proc/self/net/tcp");
  for (const line of table.split("\n")) {
    const [, local = "", , , , timer = ""] = line.trim().split(/\s+/);
    const [kind = "", jiffies = ""] = timer.split(":");
    if (local.endsWith(`:${port}`)) return { kind, seconds: parseInt(jiffies, 16) / 100 };
  }
  throw new Error(`No connection from port ${localPort}`);
}

const KEEPALIVE = "02"; // tm->when of proc_net_tcp

Deno.test("dialTcp() finds out within minutes that the other end is gone without a word", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = { host: "127.0.0.1", port: listener.addr.port };
  const socket = await dialTcp(address, new AbortController().signal);
  using _conn = await listener.accept();
  const { kind, seconds } = await timerOf(socket.localPort ?? 0);
  equal(kind, KEEPALIVE);
  ok(seconds > 0 && seconds <= 60);
  await new Promise<void>((resolve) => socket.once("close", () => resolve()).destroy());
});

/** A network in memory: what names resolve to, and how each address answers; `null` for never. */
function network(
  names: Readonly<Record<string, string>>,
  answers: Readonly<Record<string, string | null>>,
  objection?: (address: IpAddress) => Error | null,
) {
  const tried: string[] = [];
  const asked: string[] = [];
  const dial = tcpDialer({
    ...(objection === undefined ? {} : { objection }),
    lookup: (name) => {
      asked.push(name);
      const found = names[name];
      return found === undefined
        ? Promise.reject(Object.assign(new Error("no name"), { code: "ENOTFOUND" }))
        : Promise.resolve(found.split(" ").map(parseIp));
    },
    connect: (address, _port, signal) => {
      const text = formatIp(address);
      tried.push(text);
      const code = answers[text];
      if (code === "open") return Promise.resolve(Object.assign(new net.Socket(), { at: text }));
      if (code === null) {
        return new Promise((_resolve, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason))
        );
      }
      return Promise.reject(Object.assign(new Error(code), { code: code ?? "ENETUNREACH" }));
    },
  });
  const at = async (host: string) => {
    const socket = await dial({ host, port: 443 }, NEVER);
    socket.destroy();
    return String(Reflect.get(socket, "at"));
  };
  return { tried, asked, at };
}

Deno.test("dialTcp() tries the addresses of a name by turns of the families until one answers", async (t) => {
  await t.step("one that refuses, and the next", async () => {
    const names = { "proxy.test": "2001:db8::1 2001:db8::2 192.0.2.1" };
    const { at, tried } = network(names, {
      "2001:db8::1": "ECONNREFUSED",
      "192.0.2.1": "ECONNREFUSED",
      "2001:db8::2": "open",
    });
    equal(await at("proxy.test"), "2001:db8::2");
    deepEqual(tried, ["2001:db8::1", "192.0.2.1", "2001:db8::2"]);
  });
  await t.step("one that is silent, and the next beside it", async () => {
    const names = { "proxy.test": "2001:db8::1 192.0.2.1" };
    const { at } = network(names, { "2001:db8::1": null, "192.0.2.1": "open" });
    equal(await at("proxy.test"), "192.0.2.1");
  });
  await t.step("the refusal of one says more than that there is no way to another", async () => {
    const names = { "proxy.test": "2001:db8::1 192.0.2.1" };
    const { at } = network(names, { "192.0.2.1": "ECONNREFUSED" });
    await rejects(at("proxy.test"), { code: "ECONNREFUSED" });
  });
  await t.step("a name that is not there", async () => {
    await rejects(network({}, {}).at("proxy.test"), { code: "ENOTFOUND" });
  });
});

Deno.test("dialTcp() reaches IPv4 through NAT64 where there is no other way", async (t) => {
  const prefixed = { [NAT64_NAME]: "192.0.0.170 64:ff9b::c000:aa 64:ff9b::c000:ab" };
  await t.step("an address", async () => {
    const { at, tried } = network(prefixed, { "64:ff9b::cb00:7105": "open" });
    equal(await at("203.0.113.5"), "64:ff9b::cb00:7105");
    deepEqual(tried, ["203.0.113.5", "64:ff9b::cb00:7105"]);
  });
  await t.step("a name with IPv4 alone", async () => {
    const names = { ...prefixed, "proxy.test": "203.0.113.5" };
    equal(
      await network(names, { "64:ff9b::cb00:7105": "open" }).at("proxy.test"),
      "64:ff9b::cb00:7105",
    );
  });
  await t.step("none: nothing but a refusal", async () => {
    await rejects(network({ [NAT64_NAME]: "192.0.0.170" }, {}).at("203.0.113.5"), {
      code: "ENETUNREACH",
    });
    await rejects(network({}, {}).at("203.0.113.5"), { code: "ENETUNREACH" });
  });
  await t.step("not asked for where IPv4 has a way, or nothing is IPv4", async () => {
    const { at, asked } = network(prefixed, { "203.0.113.5": "ECONNREFUSED" });
    await rejects(at("203.0.113.5"), { code: "ECONNREFUSED" });
    await rejects(at("2001:db8::9"), { code: "ENETUNREACH" });
    deepEqual(asked, []);
  });
});

Deno.test("dialTcp() connects to no address that is objected to, by NAT64 neither", async () => {
  const own = (address: IpAddress) =>
    formatIp(address).endsWith("9") ? new Error("it is our own") : null;
  const names = { "proxy.test": "100.64.0.9 192.0.2.1", "own.test": "100.64.0.9" };
  const { at, tried } = network(names, { "192.0.2.1": "open", "100.64.0.9": "open" }, own);
  equal(await at("proxy.test"), "192.0.2.1");
  await rejects(at("own.test"), /it is our own/);
  await rejects(at("100.64.0.9"), /it is our own/);
  deepEqual(tried, ["192.0.2.1"]);
});

Deno.test("dialTcp() says why there is no connection, and ends with its signal", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  await rejects(dialTcp({ host: "127.0.0.1", port }, NEVER), { code: "ECONNREFUSED" });
  await rejects(
    dialTcp({ host: "name.invalid", port }, NEVER),
    (thrown) =>
      thrown instanceof Error && "code" in thrown &&
      ["ENOTFOUND", "EAI_AGAIN"].includes(String(thrown.code)),
  );
  const aborted = AbortSignal.abort(new Error("enough"));
  await rejects(dialTcp({ host: "127.0.0.1", port }, aborted), /enough/);
});
