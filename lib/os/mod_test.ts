import { equal, ok } from "node:assert/strict";
import { machine } from "../../tests/machine.ts";
import { parseEndpoint, parseIp, parsePrefix } from "../ip/mod.ts";
import { journalFiles } from "./mod.ts";

const { resolver, sockets } = machine;

Deno.test("thisMachine() loads nothing until an act needs the shim", async () => {
  const script = `
    globalThis[Symbol.for("vnet.shim")] = "/nonexistent/shim.so";
    const { thisMachine } = await import("${import.meta.resolve("./mod.ts")}");
    const { facts, routing } = thisMachine();
    await facts.resolvConf();
    try {
      routing.addresses();
    } catch (error) {
      console.log(error.code);
    }`;
  const args = ["eval", "--no-check", script];
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  const text = new TextDecoder();
  equal(text.decode(stdout), "shim-missing\n", text.decode(stderr));
});

Deno.test("listenFlows() accepts connections, says where they come from, and closes twice", async () => {
  const listener = sockets.listenFlows(parseIp("127.0.0.1"));
  equal(sockets.localEndpoint(listener.descriptor).port, listener.port);
  const [client, local] = await Promise.all([
    Deno.connect({ hostname: "127.0.0.1", port: listener.port }),
    listener.accept(),
  ]);
  equal(local.remote.port, client.localAddr.port);
  await client.write(Uint8Array.of(1, 2, 3));
  equal(await local.read(new Uint8Array(8)), 3);
  await local.closeWrite();
  equal(await client.read(new Uint8Array(8)), null);
  await client.write(Uint8Array.of(4)); // the other half is open
  equal(await local.read(new Uint8Array(8)), 1);
  local.close();
  client.close();
  listener.close();
  listener.close();
});

Deno.test("acceptStreams() takes over a descriptor, and settles when the last stream has ended", async () => {
  const descriptor = sockets.listenTcp(parseEndpoint("127.0.0.1:0"));
  const { port } = sockets.localEndpoint(descriptor);
  const server = await sockets.acceptStreams(descriptor, (stream) => {
    stream.on("data", (bytes) => stream.write(bytes));
    stream.on("end", () => stream.end(Uint8Array.of(9)));
  });
  const client = await Deno.connect({ hostname: "127.0.0.1", port });
  await client.write(Uint8Array.of(1));
  equal(await client.read(new Uint8Array(8)), 1);
  const closed = server.close();
  await client.closeWrite();
  equal(await client.read(new Uint8Array(8)), 1);
  equal(await client.read(new Uint8Array(8)), null);
  client.close();
  await closed;
});

Deno.test("Resolver.preview() asks where the server would listen, and does nothing", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const asked: boolean[] = [];
    const { choice, steps } = await resolver.preview({
      mode: "none",
      link: "vnet0",
      server: (needsPort53) => {
        asked.push(needsPort53);
        return parseEndpoint("127.0.53.1:53");
      },
      zones: ["corp.example"],
      guarded: false,
      journalDir: directory,
    });
    equal(choice.backend, "none");
    equal(asked.length, 1);
    ok(Array.isArray(steps));
    equal([...Deno.readDirSync(directory)].length, 0);
  } finally {
    await Deno.remove(directory);
  }
});

Deno.test("Resolver.reverseZones() claims whole zones", () => {
  equal(resolver.reverseZones([parsePrefix("10.1.2.0/24")]).join(), "2.1.10.in-addr.arpa");
});

Deno.test("journalFiles() lie in the directory", () => {
  const { entry, lock } = journalFiles("/j");
  ok(entry.startsWith("/j/") && lock.startsWith("/j/") && entry !== lock);
});
