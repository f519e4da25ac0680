import { deepEqual, equal, match, rejects } from "node:assert/strict";
import { OsError } from "../../../../error.ts";
import { formatEndpoint, parseEndpoint } from "../../../../ip/mod.ts";
import { type Change, OsDns, type OsDnsRequest, pathsBelow, readResolvedLink } from "../mod.ts";
import { makeDirectory, startBus } from "../../../../../tests/doubles/osdns/bus.ts";
import { needing } from "../../../../../tests/needs.ts";
import {
  type FakeLink,
  FakeResolved,
  type FakeResolvedOptions,
  startNetworkd,
} from "../../../../../tests/doubles/osdns/fakes.ts";

const REQUEST: OsDnsRequest = {
  link: "vnet0",
  ifindex: 7,
  server: parseEndpoint("127.0.0.1:5300"),
  zones: ["corp.example.com", "lab.example.com"],
  mode: "auto",
};

const AF_INET = 2;
const OTHER_VNET = 8;
const UPLINK = [2, AF_INET, Uint8Array.of(10, 0, 0, 1), 0, ""];

/** Runs a test on a host with a fake resolved on a real bus. */
function onBus(
  name: string,
  options: Omit<FakeResolvedOptions, "socket"> & { readonly lookAgainMs?: number },
  test: (dns: OsDns, fake: FakeResolved, socket: string, root: string) => Promise<void>,
): void {
  Deno.test(needing(["dbus-daemon"], name, async () => {
    await using directory = await makeDirectory();
    const root = directory.path;
    await Deno.mkdir(`${root}/etc`);
    await Deno.writeTextFile(`${root}/etc/resolv.conf`, "nameserver 127.0.0.53\nsearch lan\n");
    await using bus = await startBus(root);
    await using fake = await FakeResolved.start({ ...options, socket: bus.socket });
    const paths = { ...pathsBelow(root), busSocket: bus.socket };
    const linkName = (ifindex: number) => ifindex === OTHER_VNET ? "vnet1" : `eth${ifindex}`;
    await using dns = await OsDns.open({
      ...{ journalDir: `${root}/journal`, paths },
      look: { linkName, lookAgainMs: options.lookAgainMs ?? 60_000 },
    });
    await test(dns, fake, bus.socket, root);
  }));
}

onBus(
  "resolved: the switches go first, the domains last, and revert takes all back",
  { servers: [UPLINK] },
  async (dns, fake) => {
    const applied = await dns.apply(REQUEST);
    equal(applied.backend, "resolved");
    deepEqual(fake.calls, [
      "SetLinkLLMNR",
      "SetLinkMulticastDNS",
      "SetLinkDNSOverTLS",
      "SetLinkDNSSEC",
      "SetLinkDefaultRoute",
      "SetLinkDNSEx",
      "SetLinkDomains",
      "FlushCaches",
    ]);
    equal(applied.steps.length, fake.calls.length);
    deepEqual(fake.links.get(7)?.servers, [[AF_INET, Uint8Array.of(127, 0, 0, 1), 5300, ""]]);
    deepEqual(fake.links.get(7)?.domains, [["corp.example.com", true], ["lab.example.com", true]]);
    deepEqual(applied.upstreams.map(formatEndpoint), ["10.0.0.1:53"]);
    await dns.apply({ ...REQUEST, zones: ["lab.example.com"] });
    deepEqual(fake.links.get(7)?.domains, [["lab.example.com", true]]);
    deepEqual(await dns.revert(), ["resolve1 RevertLink vnet0"]);
    equal(fake.links.size, 0);
  },
);

onBus("resolved: without an uplink the fallback servers are upstream", {
  fallbacks: [[0, AF_INET, Uint8Array.of(9, 9, 9, 9), 0, "dns.quad9.net"]],
}, async (dns) => {
  const { upstreams, warnings } = await dns.apply(REQUEST);
  deepEqual(upstreams.map(formatEndpoint), ["9.9.9.9:53"]);
  deepEqual(warnings, []);
});

onBus("resolved: without any resolver there is a warning", {}, async (dns) => {
  const { upstreams, warnings } = await dns.apply(REQUEST);
  deepEqual(upstreams, []);
  match(warnings.join(), /no resolver to forward to/);
});

onBus("resolved before 246: port 53 works", {
  isOld: true,
  servers: [[2, AF_INET, Uint8Array.of(10, 0, 0, 1)]],
}, async (dns, fake) => {
  const server = parseEndpoint("127.0.53.1:53");
  const { backend, upstreams } = await dns.apply({ ...REQUEST, server });
  equal(backend, "resolved");
  deepEqual(fake.links.get(7)?.servers, [[AF_INET, Uint8Array.of(127, 0, 53, 1)]]);
  deepEqual(upstreams.map(formatEndpoint), ["10.0.0.1:53"]);
});

onBus("resolved before 246: another port is refused, and nothing stays set", {
  isOld: true,
}, async (dns, fake) => {
  await rejects(dns.apply(REQUEST), (error: OsError) => {
    equal(error.code, "resolved-too-old");
    return error.hint !== null;
  });
  equal(fake.links.size, 0);
});

onBus("resolved that denies says to be root", { isDenying: true }, async (dns, fake) => {
  await rejects(dns.apply(REQUEST), (error: OsError) => {
    deepEqual([error.code, error.errno, error.hint], ["resolved-refused", "EPERM", "Run as root"]);
    return true;
  });
  equal(fake.links.size, 0);
});

onBus("resolved that calls the link busy is gone round, by networkd", {
  isBusy: true,
  servers: [UPLINK],
}, async (dns, _fake, socket) => {
  await using networkd = await startNetworkd(socket);
  await dns.apply(REQUEST);
  deepEqual(networkd.links.get(7)?.domains, [["corp.example.com", true], [
    "lab.example.com",
    true,
  ]]);
  await dns.revert();
  equal(networkd.links.size, 0);
});

onBus("resolved that calls the link busy, and no networkd", { isBusy: true }, async (dns) => {
  await rejects(dns.apply(REQUEST), (error: OsError) => error.code === "resolved-refused");
});

onBus("resolved: what is undone comes back, and upstreams are told", {
  servers: [],
}, async (dns, fake) => {
  await dns.apply(REQUEST);
  const changes: Change[] = [];
  let wake = () => {};
  const heard = async (kind: Change["kind"]) => {
    while (!changes.some((change) => change.kind === kind)) {
      await new Promise<void>((resolve) => wake = resolve);
    }
  };
  const end = new AbortController();
  const watch = dns.watch((change) => {
    changes.push(change);
    wake();
  }, end.signal);
  fake.links.clear();
  fake.changed();
  await heard("reapplied");
  equal(fake.links.get(7)?.domains.length, 2);
  fake.links.set(3, {
    servers: [[AF_INET, Uint8Array.of(10, 0, 0, 2), 0, ""]],
    domains: [["lan", false]],
    switches: new Map(),
  });
  fake.changed();
  await heard("upstreams");
  const told = changes.find((change) => change.kind === "upstreams");
  if (told?.kind === "upstreams") {
    deepEqual(told.upstreams.map(formatEndpoint), ["10.0.0.2:53"]);
    deepEqual(told.search, ["lan"]);
  }
  end.abort();
  await watch;
});

onBus("resolved: what it does not tell of is found by looking", {
  servers: [UPLINK],
  lookAgainMs: 5,
}, async (dns, fake) => {
  await dns.apply(REQUEST);
  const end = new AbortController();
  const cases: [want: RegExp, change: (link: FakeLink) => void][] = [
    [/^DNSSEC was switched on/, ({ switches }) => switches.set("SetLinkDNSSEC", "yes")],
    [/^DNSOverTLS was/, ({ switches }) => switches.set("SetLinkDNSOverTLS", "opportunistic")],
    [/^DefaultRoute was/, ({ switches }) => switches.set("SetLinkDefaultRoute", true)],
    [/lost its settings/, (link) => link.domains = []],
  ];
  let told: PromiseWithResolvers<Change> = Promise.withResolvers();
  const watch = dns.watch((change) => told.resolve(change), end.signal);
  for (const [want, change] of cases) {
    told = Promise.withResolvers();
    const link = fake.links.get(7);
    if (link === undefined) throw new Error("The link is gone");
    change(link);
    const heard = await told.promise;
    match(heard.kind === "reapplied" ? heard.why : heard.kind, want);
  }
  deepEqual(Object.fromEntries(fake.links.get(7)?.switches ?? []), {
    SetLinkLLMNR: "no",
    SetLinkMulticastDNS: "no",
    SetLinkDNSOverTLS: "no",
    SetLinkDNSSEC: "no",
    SetLinkDefaultRoute: false,
  });
  end.abort();
  await watch;
});

onBus("resolved: a zone that another vnet has is left to it; anybody else's claim is only told", {
  servers: [UPLINK],
}, async (dns, fake) => {
  const [zone] = REQUEST.zones;
  const claim = { servers: [], domains: [[zone ?? "", true]], switches: new Map() };
  fake.links.set(3, claim);
  match((await dns.apply(REQUEST)).warnings.join(), /claimed by interface 3 as well/);
  await dns.revert();
  fake.links.set(OTHER_VNET, claim);
  await rejects(dns.apply(REQUEST), (error: OsError) => {
    deepEqual([error.code, error.hint !== null], ["dns-in-use", true]);
    match(error.message, /zone "corp\.example\.com": another vnet has it on "vnet1"/);
    return true;
  });
  deepEqual([...fake.links.keys()], [3, OTHER_VNET]);
  await dns.apply({ ...REQUEST, zones: ["lab.example.com"] });
  await rejects(dns.apply(REQUEST), (error: OsError) => error.code === "dns-in-use");
  deepEqual(fake.links.get(7)?.domains, [["lab.example.com", true]]);
});

onBus("readResolvedLink() tells a link's settings, and who else claims its zones", {
  servers: [UPLINK],
}, async (dns, fake, socket) => {
  await dns.apply(REQUEST);
  fake.links.set(2, { servers: [], domains: [["lab.example.com", true]], switches: new Map() });
  const found = await readResolvedLink({ ifindex: 7, socket, timeoutMs: 2_000 });
  if (typeof found === "string") throw new Error(found);
  deepEqual({ ...found, servers: found.servers.map(formatEndpoint) }, {
    domains: [
      { ifindex: 7, domain: "corp.example.com", isRouteOnly: true },
      { ifindex: 7, domain: "lab.example.com", isRouteOnly: true },
      { ifindex: 2, domain: "lab.example.com", isRouteOnly: true },
    ],
    servers: ["127.0.0.1:5300"],
    defaultRoute: false,
    dnssec: "no",
    dnsOverTls: "no",
  });
  await fake[Symbol.asyncDispose]();
  equal(await readResolvedLink({ ifindex: 7, socket, timeoutMs: 2_000 }), "absent");
});

onBus("readResolvedLink() does not wait for a resolved that hangs", {
  isHanging: true,
}, async (_dns, _fake, socket) => {
  equal(await readResolvedLink({ ifindex: 7, socket, timeoutMs: 200 }), "silent");
});

onBus("readResolvedLink() of a resolved before 246: no ports, no switches", {
  isOld: true,
}, async (dns, _fake, socket) => {
  await dns.apply({ ...REQUEST, server: parseEndpoint("127.0.53.1:53") });
  const found = await readResolvedLink({ ifindex: 7, socket, timeoutMs: 2_000 });
  if (typeof found === "string") throw new Error(found);
  deepEqual(found.servers.map(formatEndpoint), ["127.0.53.1:53"]);
  deepEqual([found.defaultRoute, found.dnssec, found.dnsOverTls], [null, null, null]);
});

onBus(
  "direct before a resolved that runs: its uplinks are upstream, its stub and ourselves are not",
  {
    servers: [UPLINK, [0, AF_INET, Uint8Array.of(127, 0, 53, 1), 0, ""]],
  },
  async (dns, _fake, _socket, root) => {
    const server = parseEndpoint("127.0.53.1:53");
    const { backend, upstreams } = await dns.apply({ ...REQUEST, server, mode: "direct" });
    equal(backend, "direct");
    deepEqual(upstreams.map(formatEndpoint), ["10.0.0.1:53"]);
    match(await Deno.readTextFile(`${root}/etc/resolv.conf`), /^nameserver 127\.0\.53\.1$/m);
  },
);

onBus("resolved that goes away half-way is an error with a code", {}, async (dns, fake) => {
  await dns.apply(REQUEST);
  await fake[Symbol.asyncDispose]();
  await rejects(dns.apply(REQUEST), (error: OsError) => {
    equal(error.code, "resolved-refused");
    return error.hint !== null;
  });
});
