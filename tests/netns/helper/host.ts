/**
 * What the helper makes for a client, in a network namespace of its own. Run by tests/netns/helper_test.ts.
 *
 * @module
 */
import { deepEqual, equal, rejects } from "node:assert/strict";
import { DEFAULT_HELPER_POLICY } from "../../../lib/config/mod.ts";
import { HELPER_PROTOCOL, type HelperRequest } from "../../../lib/wire/mod.ts";
import { Host } from "../../../lib/helper/host.ts";
import { machine } from "../../machine.ts";

const { links, routing, sockets } = machine.root;

const OPEN: Extract<HelperRequest, { op: "open" }> = {
  v: HELPER_PROTOCOL,
  id: 1,
  op: "open",
  link: null,
  ipv4: { self: "100.64.0.1", range: "100.64.0.0/20" },
  ipv6: null,
};

async function withHost(
  test: (host: Host, journalDir: string) => Promise<void>,
): Promise<void> {
  const journalDir = await Deno.makeTempDir();
  try {
    await using host = await Host.open(machine.root, {
      journalDir,
      repair: { command: "/bin/true", args: [], env: {} },
      policy: { ...DEFAULT_HELPER_POLICY, dnsMode: "none" },
      onEvent: () => {},
    });
    await test(host, journalDir);
  } finally {
    await Deno.remove(journalDir, { recursive: true });
  }
}

/** The links that vnet made, by the kernel's own list. */
async function linkNames(): Promise<string[]> {
  const text = await Deno.readTextFile("/proc/net/dev");
  return [...text.matchAll(/^ *(vnet\d+):/gm)].map(([, name]) => name ?? "");
}

links.up(routing.linkIndex("lo"), 0);

Deno.test("revert() leaves no link, though its client keeps the descriptors", async () => {
  await withHost(async (host) => {
    const { fds, value } = host.open(OPEN);
    deepEqual(await linkNames(), [value.link]);
    await host.apply({
      v: HELPER_PROTOCOL,
      id: 2,
      op: "apply",
      routes: ["100.64.0.0/20"],
      dns: null,
    });
    await host.revert();
    deepEqual(await linkNames(), []);
    deepEqual(routing.addresses().filter(({ ifindex }) => ifindex === value.ifindex), []);
    deepEqual(routing.routes().filter(({ ifindex }) => ifindex === value.ifindex), []);
    for (const fd of fds) sockets.close(fd);
  });
});

Deno.test("revert() is content with a link that is gone", async () => {
  await withHost(async (host) => {
    const { fds } = host.open(OPEN);
    for (const fd of fds) sockets.close(fd);
    deepEqual(await linkNames(), []);
    deepEqual(await host.revert(), []);
  });
});

Deno.test("a client has one link at a time, and does not get another for ever", async () => {
  await withHost(async (host) => {
    const kept: number[] = [];
    let opened = 0;
    const again = async () => {
      for (;;) {
        kept.push(...host.open(OPEN).fds);
        opened++;
        equal((await linkNames()).length, 1);
        await rejects(async () => await host.open(OPEN), { code: "helper-busy" });
        await host.revert();
      }
    };
    await rejects(again(), { code: "helper-busy" });
    equal(opened, 4);
    deepEqual(await linkNames(), []);
    for (const fd of kept) sockets.close(fd);
  });
});

Deno.test("what a client is refused does not get into the journal", async () => {
  await withHost(async (host, journalDir) => {
    const { fds } = host.open(OPEN);
    const apply = (id: number, ...routes: string[]) =>
      host.apply({ v: HELPER_PROTOCOL, id, op: "apply", routes, dns: null });
    await apply(2, "100.64.0.0/20");
    const record = `${journalDir}/link-${Deno.pid}.json`;
    const before = await Deno.readTextFile(record);
    for (const route of ["8.8.8.0/24", "0.0.0.0/0", "2000::/3", "127.0.0.0/8"]) {
      await rejects(apply(3, "100.64.0.0/20", route), { name: "VnetError" });
      equal(await Deno.readTextFile(record), before, route);
    }
    for (const fd of fds) sockets.close(fd);
  });
});
