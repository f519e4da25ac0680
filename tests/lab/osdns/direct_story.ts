/**
 * A host whose programs read resolv.conf themselves: taken over in every shape it comes in, and given back.
 *
 * @module
 */
import { deepEqual, equal, match } from "node:assert/strict";
import { formatEndpoint, parseEndpoint } from "../../../lib/ip/mod.ts";
import { type Change, OsDns, type OsDnsRequest, repair } from "../../../lib/os/linux/dns/mod.ts";
import {
  ask,
  askedUs,
  check,
  lookup,
  picture,
  run,
  startProvider,
  startServer,
  until,
} from "./host.ts";

const APP = "app.corp.example.com";
const OURS = "100.64.0.10";
const LEAK = "203.0.113.99";
const JOURNAL = "/var/lib/vnet";
const PROVIDER = "nameserver 10.99.0.53\n";
const REQUEST: OsDnsRequest = {
  link: "vnet0",
  ifindex: 1,
  server: parseEndpoint("127.0.53.1:53"),
  zones: ["corp.example.com"],
  mode: "auto",
};

/** Ways a host may have its resolv.conf. */
const SHAPES: [name: string, make: () => Promise<void>, clear?: () => Promise<void>][] = [
  ["a file", async () => {
    await Deno.writeTextFile("/etc/resolv.conf", PROVIDER);
    await Deno.chmod("/etc/resolv.conf", 0o600);
    await Deno.chown("/etc/resolv.conf", 0, 7);
  }],
  ["a relative symlink", async () => {
    await Deno.writeTextFile("/run/provider.conf", PROVIDER);
    await Deno.symlink("../run/provider.conf", "/etc/resolv.conf");
  }],
  ["an absolute symlink", async () => {
    await Deno.writeTextFile("/run/provider.conf", PROVIDER);
    await Deno.symlink("/run/provider.conf", "/etc/resolv.conf");
  }],
  ["missing", () => Promise.resolve()],
  ["a dangling symlink", () => Deno.symlink("../run/nowhere/x", "/etc/resolv.conf")],
  ["a bind mount", async () => {
    await Deno.writeTextFile("/etc/resolv.conf", "beneath\n");
    await Deno.writeTextFile("/run/container.conf", `# of the container\n${PROVIDER}`);
    await run("mount", "--bind", "/run/container.conf", "/etc/resolv.conf");
  }, async () => void await run("umount", "/etc/resolv.conf")],
];

await Deno.writeTextFile("/etc/nsswitch.conf", "hosts: files dns\n");
await startProvider();
await startServer("127.0.53.1", 53);

for (const [name, make, clear] of SHAPES) {
  const hasProvider = name !== "missing" && name !== "a dangling symlink";
  await check(
    `resolv.conf is ${name}: up, down, and as it was`,
    () =>
      shaped(make, clear, async () => {
        await using dns = await OsDns.open({ journalDir: JOURNAL });
        const { backend, upstreams } = await dns.apply(REQUEST);
        equal(backend, "direct");
        deepEqual(upstreams.map(formatEndpoint), [hasProvider ? "10.99.0.53:53" : "127.0.0.1:53"]);
        equal(await lookup(APP), OURS);
        equal(await lookup("www.public.test"), "198.51.100.53");
        const { text } = await run("dig", "+short", APP);
        equal(text.trim(), OURS);
      }),
  );
  await check(
    `resolv.conf is ${name}: a kill -9 while up is repaired`,
    () =>
      shaped(make, clear, async () => {
        await crash();
        match((await repair(JOURNAL)).join(), /^restored /);
        deepEqual(await repair(JOURNAL), []);
      }),
  );
}

await check(
  "a dead vnet costs little while the file is still ours",
  () =>
    shaped(SHAPES[0]?.[1] as () => Promise<void>, undefined, async () => {
      await crash("127.0.53.2:53");
      const began = performance.now();
      equal(await lookup("www.public.test"), "198.51.100.53");
      const tookMs = performance.now() - began;
      equal(tookMs < 1_000, true, `${tookMs} ms`);
      await repair(JOURNAL);
    }),
);

await check(
  "a container's runtime that rewrites its file gets its way, and we get ours",
  () =>
    shaped(async () => {
      await Deno.writeTextFile("/etc/resolv.conf", "beneath\n");
      await Deno.writeTextFile("/run/container.conf", PROVIDER);
      await run("mount", "--bind", "/run/container.conf", "/etc/resolv.conf");
    }, async () => {
      await run("umount", "/etc/resolv.conf");
    }, async () => {
      await using dns = await OsDns.open({ journalDir: JOURNAL });
      await dns.apply(REQUEST);
      const changes: Change[] = [];
      const end = new AbortController();
      const watch = dns.watch((change) => changes.push(change), end.signal);
      await Deno.writeTextFile("/run/container.conf", "nameserver 10.99.0.54\n");
      await until("other upstreams", () => changes.some((change) => change.kind === "upstreams"));
      equal(await lookup(APP), OURS);
      end.abort();
      await watch;
      await dns.revert();
      equal(await Deno.readTextFile("/etc/resolv.conf"), "nameserver 10.99.0.54\n");
      await Deno.writeTextFile("/run/container.conf", PROVIDER);
    }),
);

await check(
  "a read-only bind mount: nothing is changed, the line to add is said",
  () =>
    shaped(async () => {
      await Deno.writeTextFile("/etc/resolv.conf", PROVIDER);
      await run("mount", "--bind", "/etc/resolv.conf", "/etc/resolv.conf");
      await run("mount", "-o", "remount,bind,ro", "/etc/resolv.conf");
    }, async () => {
      await run("umount", "/etc/resolv.conf");
    }, async () => {
      await using dns = await OsDns.open({ journalDir: JOURNAL });
      const { backend, warnings } = await dns.apply(REQUEST);
      equal(backend, "none");
      match(warnings.join(), /first line of \/etc\/resolv\.conf: nameserver 127\.0\.53\.1/);
      equal(await lookup(APP), LEAK);
      const refused = await dns.apply({ ...REQUEST, mode: "direct" }).catch((error) => error.code);
      equal(refused, "resolv-conf-read-only");
    }),
);

await check(
  "other names are forwarded by us, as plain resolv.conf hosts know one server only",
  async () => {
    equal((await askedUs("www.public.test")).length > 0, true);
    equal(await ask("127.0.53.1", 53), "198.51.100.53");
  },
);

Deno.exit(0);

/** Runs a test on one shape of resolv.conf; afterwards /etc must be as it was. */
async function shaped(
  make: () => Promise<void>,
  clear: (() => Promise<void>) | undefined,
  test: () => Promise<void>,
): Promise<void> {
  await Deno.remove("/etc/resolv.conf").catch(() => {});
  await make();
  const before = await picture("/etc");
  try {
    await test();
    equal(await picture("/etc"), before);
  } finally {
    await clear?.();
  }
}

/** Has another process apply, and kills it. */
async function crash(server = "127.0.53.1:53"): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "-A", new URL("./crash_up.ts", import.meta.url).pathname, server],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  child.kill("SIGKILL");
  await child.status;
  reader.releaseLock();
  await child.stdout.cancel();
}
