import { deepEqual, match, ok } from "node:assert/strict";
import { parseEndpoint, parseIp } from "../../ip/mod.ts";
import { examine } from "../examine.ts";
import type { Facts, NetworkFacts, Outcome, ResolvedLinkFacts, TargetFacts } from "../facts.ts";
import type { Finding } from "../finding.ts";
import {
  DOWN,
  HEALTHY,
  known,
  LINK_IFINDEX,
  OTHER_IFINDEX,
  PROXY,
  route,
  SELF,
  STATUS,
  unknown,
  withStatus,
} from "../../../tests/doubles/healthy.ts";

/** One broken thing: the findings that remain after folding, each with what its text must say. */
type Case = [name: string, facts: Facts, want: Record<string, RegExp>];

const HOUR_MS = 3_600_000;
const OURS: Outcome = { kind: "addresses", addresses: [SELF] };
const HIJACKED: Outcome = { kind: "addresses", addresses: [parseIp("93.184.215.14")] };
const SILENT: Outcome = { kind: "silent", afterMs: 1500 };
const NXDOMAIN: Outcome = { kind: "negative", code: "NXDOMAIN" };

const RESOLVED: ResolvedLinkFacts = {
  domains: [
    { name: "company.test", routeOnly: true },
    { name: PROXY, routeOnly: true },
  ],
  elsewhere: [{ name: "lan", link: "eth0" }],
  servers: [parseEndpoint("127.0.0.1:5300")],
  defaultRoute: false,
  dnssec: "no",
  dnsOverTls: "no",
};

Deno.test("checks of the system", async (t) => {
  const root = { ...HEALTHY.program, uid: 0 };
  await table(t, [
    ["root in a container without the right", {
      ...HEALTHY,
      program: root,
    }, { "sys.privilege": /^fail .*CAP_NET_ADMIN.*--cap-add/ }],
    ["root with it", { ...HEALTHY, program: root, netAdmin: known(true) }, {}],
    ["no driver", { ...HEALTHY, tunDevice: known("ENOENT") }, {
      "sys.tun": /^fail there is no TUN driver.*sudo modprobe tun/,
    }],
    ["a device policy", {
      ...HEALTHY,
      program: root,
      netAdmin: known(true),
      tunDevice: known("EPERM"),
    }, {
      "sys.tun": /^fail .*--device \/dev\/net\/tun/,
    }],
    ["a device for root alone", { ...HEALTHY, tunDevice: known("EACCES") }, {}],
    ["a clock that is ahead", {
      ...HEALTHY,
      proxies: known([{
        ...proxyOf(),
        reached: { kind: "reached", elapsedMs: 9, clockAheadMs: 2 * HOUR_MS },
      }]),
    }, { "sys.clock": /^fail is 2 h away.*2 h ahead/ }],
    ["a clock that is a little behind", {
      ...HEALTHY,
      proxies: known([{
        ...proxyOf(),
        reached: { kind: "reached", elapsedMs: 9, clockAheadMs: -59_000 },
      }]),
    }, {}],
  ]);
});

Deno.test("checks of logins and proxies", async (t) => {
  const profile = { name: PROXY, cluster: "example", user: "alice" };
  const expiring = (ms: number) => known([{ ...profile, expiresMs: HEALTHY.nowMs + ms }]);
  await table(t, [
    ["no login", { ...DOWN, profiles: known([]), proxies: known([]) }, {
      "auth.profile": /^fail you are not logged in to any cluster.*vnet login HOST/,
    }],
    ["a login that ends soon", { ...HEALTHY, profiles: expiring(HOUR_MS / 2) }, {
      [`auth.profile.${PROXY}`]: /^warn the login ends in 30 min.*vnet login --proxy/,
    }],
    ["a login that ended", { ...HEALTHY, profiles: expiring(-60_000) }, {
      [`auth.profile.${PROXY}`]: /^fail the login ended 1 min ago/,
    }],
    ["one of two logins that ended", {
      ...DOWN,
      profiles: known([
        { ...profile, expiresMs: HEALTHY.nowMs - 1 },
        { ...profile, name: "b.test", expiresMs: HEALTHY.nowMs + 9 * HOUR_MS },
      ]),
    }, {
      [`auth.profile.${PROXY}`]: /^fail/,
      "daemon.alive": /^warn vnet is not up/, // not hidden: the other login is good
    }],
    ["a key for all to read", {
      ...HEALTHY,
      profileFiles: known([{ path: "/p.json", mode: 0o644, uid: 1000 }]),
    }, { "auth.files": /^fail .*mode 0644.*chmod 600 '\/p.json'/ }],
    ["a key of somebody else", {
      ...HEALTHY,
      profileFiles: known([{ path: "/p.json", mode: 0o600, uid: 1001 }]),
    }, { "auth.files": /^fail .*uid 1001/ }],
    ["a dead proxy", {
      ...withStatus({ sessions: [{ profile: PROXY, state: "unreachable", error: "refused" }] }),
      proxies: known([{
        ...proxyOf(),
        reached: { kind: "failed", code: "proxy-unreachable", message: "Cannot reach it" },
      }]),
    }, { [`net.proxy.${PROXY}`]: /^fail Cannot reach it.*refused.*nothing listens/ }],
    ["a proxy whose name does not resolve", {
      ...HEALTHY,
      proxies: known([{
        ...proxyOf(),
        addresses: { kind: "negative", code: "ENOTFOUND" },
        reached: { kind: "failed", code: "proxy-unreachable", message: "Cannot reach it" },
      }]),
    }, { [`net.proxy.${PROXY}`]: /its name does not resolve/ }],
    ["somebody else in the proxy's place", {
      ...HEALTHY,
      proxies: known([{
        ...proxyOf(),
        reached: { kind: "failed", code: "ca-pin-mismatch", message: "Not it" },
      }]),
    }, { [`net.proxy.${PROXY}`]: /another server answers/ }],
    ["a proxy with a certificate of a company's own authority, and the way there", {
      ...HEALTHY,
      proxies: known([{
        ...proxyOf(),
        reached: {
          kind: "failed",
          code: "proxy-untrusted",
          message: 'issued by "Corp"',
          way: 'directly, by ".corp.example" in NO_PROXY',
        },
      }]),
    }, {
      [`net.proxy.${PROXY}`]:
        /^fail issued by "Corp".*by ".corp.example" in NO_PROXY.*is not valid/,
    }],
    ["an HTTP proxy with such a certificate", {
      ...HEALTHY,
      proxies: known([{
        ...proxyOf(),
        reached: { kind: "failed", code: "http-proxy-untrusted", message: "no" },
      }]),
    }, { [`net.proxy.${PROXY}`]: /of the HTTP proxy.*--ca-file/ }],
    ["a proxy behind its own range", {
      ...HEALTHY,
      proxies: known([{
        ...proxyOf(),
        addresses: { kind: "addresses", addresses: [parseIp("100.64.9.9")] },
      }]),
    }, { [`net.proxy.${PROXY}`]: /^fail the proxy's own name resolves into the virtual range/ }],
    [
      "a login the cluster refuses",
      withStatus({
        sessions: [{ profile: PROXY, state: "expired", error: "locked" }],
      }),
      { [`auth.session.${PROXY}`]: /^fail .*locked.*vnet login/ },
    ],
    [
      "a login that is locked",
      withStatus({
        sessions: [{ profile: PROXY, state: "expired", reason: "access-locked", error: null }],
      }),
      { [`auth.session.${PROXY}`]: /^fail a lock is in force for you.*Ask an administrator/ },
    ],
    [
      "a cluster that answers again",
      withStatus({
        sessions: [{ profile: PROXY, state: "unreachable", error: "timeout" }],
      }),
      { [`auth.session.${PROXY}`]: /^warn .*its proxy answers now/ },
    ],
  ]);
});

Deno.test("checks of daemon and helper", async (t) => {
  const processes = { helpers: [5], stoppedHelpers: [], guards: [6], repairs: [], serviced: [] };
  await table(t, [
    ["a crash", { ...DOWN, daemon: known({ kind: "down", crashed: true, lastError: null }) }, {
      "daemon.alive": /^fail .*not up any more.*was killed.*sudo vnet up --detach/,
    }],
    ["a start that failed", {
      ...DOWN,
      daemon: known({ kind: "down", crashed: false, lastError: "Cannot open TUN" }),
    }, { "daemon.alive": /^fail vnet stopped because of an error.*Cannot open TUN/ }],
    ["no answer", { ...DOWN, daemon: known({ kind: "silent", reason: "EACCES" }) }, {
      "daemon.alive": /^fail running, but it does not answer.*EACCES/,
    }],
    ["a start under way", withStatus({ state: "starting", link: null, dns: null }), {
      "daemon.alive": /^warn still starting.*vnet wait/,
    }],
    ["another version", withStatus({ version: "1.2.2" }), {
      "daemon.version": /^warn .*1\.2\.2.*1\.2\.3.*sudo vnet restart/,
    }],
    [
      "a lost helper",
      withStatus({
        findings: [{ code: "helper-lost", message: "gone", hint: null }],
      }),
      { "helper.alive": /^fail the privileged helper is gone/ },
    ],
    ["a stopped helper", { ...HEALTHY, processes: known({ ...processes, stoppedHelpers: [5] }) }, {
      "helper.alive": /^fail .*stopped.*kill -CONT 5/,
    }],
    ["no guard, but systemd", {
      ...HEALTHY,
      processes: known({ ...processes, guards: [], serviced: [5] }),
    }, {}],
    ["no guard", { ...HEALTHY, processes: known({ ...processes, guards: [] }) }, {
      "helper.guard": /^warn DNS would stay broken/,
    }],
    ["processes nobody shows", {
      ...HEALTHY,
      processes: known({ ...processes, helpers: [], guards: [] }),
    }, { "helper.guard": /^skip/ }],
    [
      "a complaint of the daemon",
      withStatus({
        findings: [{ code: "zone-refused", message: 'Zone "com" is not claimed', hint: null }],
      }),
      { "cluster.config": /^warn Zone "com" is not claimed/ },
    ],
    [
      "two complaints",
      withStatus({
        findings: [
          { code: "zone-refused", message: "one", hint: null },
          { code: "apply-failed", message: "two", hint: "do this" },
        ],
      }),
      { "cluster.config": /^warn 2 configuration warnings.*one.*two.*do this/ },
    ],
    ["shared with everybody", withStatus({ access: { sharedWith: "all", containers: "deny" } }), {
      "sec.owner": /^warn every user/,
    }],
  ]);
});

Deno.test("checks of device, range and routes", async (t) => {
  const { link } = STATUS;
  ok(link !== null);
  await table(t, [
    ["no device", withoutLink(), {
      "tun.link": /^fail there is no/,
    }],
    [
      "a device that is down",
      network({
        links: links().map((one) => one.ifindex === LINK_IFINDEX ? { ...one, isUp: false } : one),
      }),
      { "tun.link": /^fail vnet0 is down.*sudo ip link set vnet0 up/ },
    ],
    [
      "a lost address",
      network({
        addresses: facts().addresses.filter(({ address }) => address !== SELF),
      }),
      { "tun.address": /^fail vnet0 has lost 100\.64\.0\.1/ },
    ],
    ["IPv6 switched off", withStatus({ link: { ...link, ipv6: null } }), {
      "tun.ipv6": /^warn .*switched off/,
    }],
    [
      "a full range",
      withStatus({
        findings: [{ code: "range-full", message: "3 names have no address", hint: "More" }],
      }),
      { "addr.full": /^fail 3 names have no address.*More/ },
    ],
    [
      "a foreign route inside",
      network({
        routes: [...facts().routes, route("100.64.7.0/24", OTHER_IFINDEX)],
      }),
      {
        "addr.conflict":
          /^fail .*100\.64\.7\.0\/24 on eth0.*go to eth0.*restart --cidr 100\.96\.0\.0\/11/,
      },
    ],
    [
      "a foreign address inside",
      network({
        addresses: [
          ...facts().addresses,
          { address: parseIp("100.70.0.1"), prefixLength: 24, ifindex: OTHER_IFINDEX },
        ],
      }),
      { "addr.conflict": /^fail .*address 100\.70\.0\.1\/32 on eth0/ },
    ],
    [
      "a foreign network around it",
      network({
        routes: [...facts().routes, route("100.0.0.0/8", OTHER_IFINDEX)],
      }),
      { "addr.conflict": /^warn a larger network contains 100\.64\.0\.0\/10/ },
    ],
    [
      "a default route split in two",
      network({
        routes: [...facts().routes, route("0.0.0.0/1", OTHER_IFINDEX)],
      }),
      {},
    ],
    [
      "a resolver inside",
      withStatus({
        dns: { ...STATUS.dns!, upstreams: [parseEndpoint("100.100.100.100:53")] },
      }),
      { "addr.conflict": /^fail .*resolver 100\.100\.100\.100.*a resolver of this machine/ },
    ],
    ["a conflict while down", {
      ...DOWN,
      network: known({
        ...facts(DOWN),
        routes: [...facts(DOWN).routes, route("100.64.0.0/10", OTHER_IFINDEX)],
      }),
    }, {
      "daemon.alive": /^warn/,
      "addr.conflict":
        /^warn 100\.64\.0\.0\/10 is taken, and so is all .*172\.16\.0\.0\/16, is taken by root's word only.*up --detach --cidr 172\.16\.0\.0\/16/,
    }],
    ["half of it taken while down", {
      ...DOWN,
      network: known({
        ...facts(DOWN),
        routes: [...facts(DOWN).routes, route("100.64.0.0/11", OTHER_IFINDEX)],
      }),
    }, {
      "daemon.alive": /^warn/,
      "addr.conflict": /^warn 100\.64\.0\.0\/10 is taken: vnet will use 100\.96\.0\.0\/11 instead/,
    }],
    [
      "a cluster that wants private space",
      withStatus({
        findings: [{ code: "range-unasked", message: "It wants 10.0.0.0/8", hint: "Say so" }],
      }),
      { "addr.private": /^warn It wants 10\.0\.0\.0\/8.*your word, and root's.*Say so/ },
    ],
    [
      "two that want private space",
      withStatus({
        findings: [
          { code: "range-forbidden", message: "one", hint: null },
          { code: "range-unasked", message: "two", hint: null },
        ],
      }),
      { "addr.private": /^warn 2 clusters wait for a word.*one.*two.*vnet restart/ },
    ],
    [
      "a route that is gone",
      network({
        routes: facts().routes.filter(({ ifindex }) => ifindex !== LINK_IFINDEX),
      }),
      { "route.range": /^fail no route leads 100\.64\.0\.0\/10 and fd12/ },
    ],
    [
      "a route somebody fights for",
      withStatus({
        findings: [{ code: "link-contested", message: "keeps taking", hint: "Leave it" }],
      }),
      { "route.range": /^warn .*keeps removing.*keeps taking.*Leave it/ },
    ],
    [
      "a kernel without traffic control",
      withStatus({
        findings: [{ code: "link-unlimited", message: "does not check", hint: "Another kernel" }],
      }),
      { "sec.link": /^warn .*any address.*does not check.*Another kernel/ },
    ],
    ["a policy rule", {
      ...HEALTHY,
      rangeWays: known([{ target: parseIp("100.64.0.2"), what: "IPv4", link: "wg0" }]),
    }, { "route.effective": /^fail .*leaves by wg0.*ip rule show/ }],
    ["a kernel that nobody can ask, and a more specific route", {
      ...network({ routes: [...facts().routes, route("100.64.0.0/24", OTHER_IFINDEX)] }),
      rangeWays: unknown("there is no program `ip` here"),
    }, { "addr.conflict": /^fail/ }],
    ["a proxy behind vnet", {
      ...HEALTHY,
      outerWays: known([{ target: parseIp("203.0.113.10"), what: PROXY, link: "vnet0" }]),
    }, { "route.upstream": /^fail vnet's own traffic goes into vnet.*policy rule/ }],
    ["no way out", {
      ...HEALTHY,
      outerWays: known([{ target: parseIp("203.0.113.10"), what: PROXY, link: null }]),
    }, { "route.upstream": /^fail no route to vnet\.example\.com.*offline/ }],
  ]);
});

Deno.test("checks of DNS", async (t) => {
  const dns = STATUS.dns!;
  ok(HEALTHY.resolvConf.kind === "measured");
  const { value: file } = HEALTHY.resolvConf;
  const plainFile = known({
    ...file,
    isOurs: false,
    owner: "dhclient",
    nameservers: ["192.168.1.1"],
  });
  const resolved: Facts = {
    ...withStatus({
      dns: { ...dns, backend: "resolved", server: parseEndpoint("127.0.0.1:5300") },
    }),
    resolvConf: known({
      ...file,
      isOurs: false,
      owner: null,
      nameservers: ["127.0.0.53"],
    }),
  };
  await table(t, [
    ["mode none", withStatus({ dns: { ...dns, backend: "none" } }), {
      "dns.mode": /^warn this machine's resolver does not know.*ask 127\.0\.53\.1:53/,
    }],
    ["a host that would get none", {
      ...DOWN,
      dnsChoice: known({ backend: "none", why: ["read-only"], warnings: [] }),
    }, { "daemon.alive": /^warn/, "dns.mode": /^warn .*read-only/ }],
    ["a host whose resolved is bypassed", {
      ...DOWN,
      dnsChoice: known({ backend: "resolved", why: [], warnings: ["Go programs bypass it"] }),
    }, { "daemon.alive": /^warn/, "dns.mode": /^warn resolved.*Go programs/ }],
    ["a server that answers UDP only", {
      ...HEALTHY,
      listener: known({ server: dns.server, udp: OURS, tcp: SILENT }),
    }, { "dns.listener": /^fail .*over TCP.*no answer within 1500 ms/ }],
    ["a server that is silent", {
      ...HEALTHY,
      listener: known({ server: dns.server, udp: SILENT, tcp: SILENT }),
    }, { "dns.listener": /^fail .*UDP and TCP/ }],
    ["dead resolvers", upstreams(SILENT, SILENT), { "dns.upstream": /^fail no answer from/ }],
    ["one dead resolver", upstreams(NXDOMAIN, SILENT), { "dns.upstream": /^warn no good answer/ }],
    ["a resolver that refuses", upstreams({ kind: "negative", code: "REFUSED" }), {
      "dns.upstream": /^fail .*REFUSED/,
    }],
    ["no resolver", upstreams(), { "dns.upstream": /^warn there is no upstream resolver/ }],
    ["itself for a resolver", withStatus({ dns: { ...dns, upstreams: [dns.server] } }), {
      "dns.upstream": /^fail vnet is its own upstream resolver: it would ask itself/,
    }],
    ["nsswitch without DNS", { ...HEALTHY, nssHosts: known([{ service: "files", actions: [] }]) }, {
      "dns.nss": /^fail .*neither dns nor resolve/,
    }],
    ["no nsswitch at all", { ...HEALTHY, nssHosts: known(null) }, {}],
    ["a trampled file", {
      ...HEALTHY,
      resolvConf: plainFile,
      zones: zones(HIJACKED),
    }, {
      "dns.trample":
        /^fail .*wanted nameserver 127\.0\.53\.1.*192\.168\.1\.1.*dhclient wrote it 1 min ago/,
    }],
    ["resolved in order", { ...resolved, resolvedLink: known(RESOLVED) }, {}],
    ["a zone that resolved lost", {
      ...resolved,
      resolvedLink: known({ ...RESOLVED, domains: [{ name: PROXY, routeOnly: true }] }),
    }, { "dns.link": /^fail .*missing ~company\.test/ }],
    ["DNSSEC and TLS on our link", {
      ...resolved,
      resolvedLink: known({
        ...RESOLVED,
        dnssec: "yes",
        dnsOverTls: "opportunistic",
        defaultRoute: true,
      }),
    }, { "dns.link": /^fail .*DefaultRoute.*DNSSEC is yes.*DNSOverTLS is opportunistic/ }],
    ["a server that resolved lost", {
      ...resolved,
      resolvedLink: known({ ...RESOLVED, servers: [] }),
    }, { "dns.link": /^fail .*server 127\.0\.0\.1:5300/ }],
    ["a resolved that nothing leads to", {
      ...resolved,
      resolvedLink: known(RESOLVED),
      resolvConf: plainFile,
      nssHosts: known([{ service: "files", actions: [] }, { service: "dns", actions: [] }]),
      zones: zones(NXDOMAIN),
    }, {
      "dns.trample":
        /^fail programs do not ask systemd-resolved.*nameserver 192\.168\.1\.1.*hosts files dns.*dhclient wrote \/etc\/resolv\.conf 1 min ago/,
    }],
    ["a resolved that only nss leads to", {
      ...resolved,
      resolvedLink: known(RESOLVED),
      resolvConf: plainFile,
      nssHosts: known([{ service: "resolve", actions: [] }, { service: "dns", actions: [] }]),
    }, {}],
    ["a proxy whose name is lost at resolved", {
      ...resolved,
      resolvedLink: known({ ...RESOLVED, dnssec: "yes" }),
      proxies: known([{
        profile: PROXY,
        addresses: NXDOMAIN,
        reached: { kind: "failed", code: "proxy-unreachable", message: "no" },
      }]),
    }, {
      "dns.link": /^fail/,
    }],
    ["a resolved that does not run", { ...resolved, resolvedLink: known("absent") }, {
      "dns.link": /^fail systemd-resolved does not run.*systemctl restart systemd-resolved/,
    }],
    ["a resolved that hangs", { ...resolved, resolvedLink: known("silent") }, {
      "dns.link": /^fail systemd-resolved does not answer.*systemctl restart systemd-resolved/,
    }],
    ["a zone that another link claims", {
      ...resolved,
      resolvedLink: known({ ...RESOLVED, elsewhere: [{ name: "company.test", link: "tun9" }] }),
    }, { "dns.link": /^warn .*tun9 ~company\.test.*asks the servers of "tun9"/ }],
    ["a zone that another link answers for", {
      ...resolved,
      resolvedLink: known({ ...RESOLVED, elsewhere: [{ name: "company.test", link: "tun9" }] }),
      zones: zones(HIJACKED),
    }, {
      "dns.link": /^warn/,
      "dns.zone.company.test":
        /^fail another resolver answers: 93\.184\.215\.14.*Take ~company\.test off "tun9"/,
    }],
    ["a domain of another link that is not ours", {
      ...resolved,
      resolvedLink: known({ ...RESOLVED, elsewhere: [{ name: ".", link: "eth0" }] }),
    }, {}],
    ["a hijacked zone", { ...HEALTHY, zones: zones(HIJACKED) }, {
      "dns.zone.company.test": /^fail another resolver answers: 93\.184\.215\.14/,
    }],
    ["a zone nobody answers for", { ...HEALTHY, zones: zones(SILENT) }, {
      "dns.zone.company.test": /^fail programs of this machine get no answer/,
    }],
    ["a zone that is not registered", { ...HEALTHY, zones: zones(NXDOMAIN) }, {
      "dns.zone.company.test": /^fail programs get NXDOMAIN/,
    }],
    ["a zone that Go programs miss", { ...HEALTHY, zones: zones(OURS, NXDOMAIN) }, {
      "dns.zone.company.test": /^warn some programs.*192\.168\.1\.1 does not know this zone/,
    }],
    ["a zone with mode none", {
      ...withStatus({ dns: { ...dns, backend: "none" } }),
      zones: zones(NXDOMAIN),
    }, { "dns.mode": /^warn/, "dns.zone.company.test": /^warn programs cannot resolve it/ }],
  ]);
});

Deno.test("checks of leftovers", async (t) => {
  const journal = { path: "/var/lib/vnet/osdns.journal.json", hasEntry: true, isOwned: false };
  const crashed = known({ kind: "down" as const, crashed: true, lastError: null });
  const remote = [parseIp("100.64.3.4"), parseIp("100.64.3.4")];
  await table(t, [
    ["a journal that nobody owns", { ...DOWN, daemon: crashed, journal: known(journal) }, {
      "leftover.dns": /^fail .*has something to undo.*sudo vnet doctor --fix/,
      "daemon.alive": /^fail/,
    }],
    ["our header and no journal", {
      ...DOWN,
      resolvConf: HEALTHY.resolvConf,
    }, { "leftover.dns": /^fail .*begins with vnet's header/, "daemon.alive": /^warn/ }],
    ["a repair under way", {
      ...DOWN,
      journal: known(journal),
      processes: known({ helpers: [], stoppedHelpers: [], guards: [], repairs: [9], serviced: [] }),
    }, { "leftover.dns": /^warn being repaired/, "daemon.alive": /^warn/ }],
    ["a journal of who knows whom", {
      ...DOWN,
      journal: known({ ...journal, isOwned: null }),
    }, { "leftover.dns": /^skip cannot tell/, "daemon.alive": /^warn/ }],
    ["connections that lead nowhere", { ...DOWN, connectionsInRange: known(remote) }, {
      "leftover.connections": /^fail 2 connections lead nowhere.*100\.64\.3\.4/,
      "daemon.alive": /^warn/,
    }],
    ["connections of another network", {
      ...DOWN,
      connectionsInRange: known(remote),
      network: known({ ...facts(DOWN), routes: [route("100.64.0.0/16", OTHER_IFINDEX)] }),
    }, { "daemon.alive": /^warn/, "addr.conflict": /^warn/ }],
  ]);
});

Deno.test("checks of one name", async (t) => {
  const address = parseIp("100.64.3.4");
  const owner = { app: "db", cluster: "example", proxy: PROXY, zone: PROXY, grant: "own" as const };
  const taker = { app: "x", cluster: "thief", proxy: "thief.test", why: "it belongs to example" };
  const target: TargetFacts = {
    host: `db.${PROXY}`,
    port: 5432,
    verdict: known({
      kind: "answer",
      rule: "app-address",
      reason: "it is",
      addresses: [address],
      source: "daemon",
      owner,
      claims: [],
    }),
    system: { kind: "addresses", addresses: [address] },
    app: known({ name: "db", cluster: "example", ports: [{ first: 5432, last: 5439 }] }),
    way: known({ target: address, what: "db", link: "vnet0" }),
  };
  const walk = (change: Partial<TargetFacts>, base: Facts = HEALTHY): Facts => ({
    ...base,
    target: known({ ...target, ...change }),
  });
  const verdict = (kind: string, claims: readonly (typeof taker)[] = []) =>
    known({
      kind,
      rule: "r",
      reason: "because",
      addresses: kind === "answer" ? [address] : [],
      source: "daemon" as const,
      owner: kind === "answer" ? owner : null,
      claims,
    });
  await table(t, [
    ["all is well", walk({}), {}],
    ["not ours", walk({ verdict: verdict("forward"), app: known(null) }), {
      "name.verdict": /^fail .*vnet does not answer.*vnet apps ls/,
    }],
    ["claimed by another", walk({ verdict: verdict("answer", [taker]) }), {
      "name.verdict":
        /^warn .*which thief claims as well.*thief \(thief\.test\) says that the name.*belongs to example/,
    }],
    [
      "claimed by one without a right",
      walk({ verdict: verdict("forward", [taker]), app: known(null) }),
      {
        "name.verdict": /^fail .*none of your apps.*thief \(thief\.test\) claims it.*vnet zones ls/,
      },
    ],
    ["no address", walk({ verdict: verdict("refuse") }), {
      "name.verdict": /^fail vnet answers refuse/,
    }],
    ["in /etc/hosts", walk({ system: HIJACKED }), {
      "name.address": /^fail programs get 93\.184\.215\.14.*\/etc\/hosts/,
    }],
    ["another port", walk({ port: 5440 }), {
      "name.port": /^fail 5440 is not published.*port 5432-5439/,
    }],
    ["any port", walk({ port: 1, app: known({ name: "db", cluster: "c", ports: null }) }), {}],
    ["another way", walk({ way: known({ target: address, what: "db", link: "eth0" }) }), {
      "name.route": /^fail .*does not reach vnet0.*ip route get 100\.64\.3\.4/,
    }],
    ["a way by the tables", walk({ way: unknown("no ip") }), {}],
    [
      "refused lately",
      walk(
        {},
        withStatus({
          refusals: [
            {
              at: "2027-01-15T08:00:00Z",
              name: `db.${PROXY}`,
              port: 5432,
              code: "target-refused",
              message: "refused",
            },
            {
              at: "2027-01-15T07:00:00Z",
              name: `db.${PROXY}`,
              port: 1,
              code: "port-not-allowed",
              message: "no",
            },
          ],
        }),
      ),
      { "name.refusals": /^warn 1 refused lately; the last: refused.*target-refused/ },
    ],
    [
      "down",
      walk({
        verdict: known({
          kind: "answer",
          rule: "r",
          reason: "b",
          addresses: [address],
          source: "saved-state",
          owner,
          claims: [],
        }),
      }, DOWN),
      {
        "daemon.alive": /^warn/,
      },
    ],
  ]);
});

/** Examines each case; what is not well and not a consequence must be just what is wanted. */
async function table(t: Deno.TestContext, cases: readonly Case[]): Promise<void> {
  for (const [name, facts, want] of cases) {
    await t.step(name, () => {
      const findings = examine(facts, { only: [], skip: [] });
      const left = findings.filter(isToTell);
      deepEqual(left.map(({ id }) => id).toSorted(), Object.keys(want).toSorted());
      for (const finding of left) match(textOf(finding), want[finding.id] ?? /./);
      for (const { status, id, fix } of findings) {
        if (status === "fail" || status === "warn") ok(fix !== null, `${id} has no fix`);
      }
    });
  }
}

/** A skip of what the machine does not have, such as resolved's settings without resolved, is nothing to tell. */
function isToTell({ status, blockedBy, id }: Finding): boolean {
  if (blockedBy !== null || status === "ok") return false;
  return status !== "skip" || id === "helper.guard" || id === "leftover.dns";
}

function textOf({ status, summary, evidence, cause, fix }: Finding): string {
  const seen = evidence.map(({ label, text }) => `${label} ${text}`);
  return [status, summary, ...seen, cause, fix?.text].filter((part) => part != null).join(" ");
}

function facts(of: Facts = HEALTHY): NetworkFacts {
  ok(of.network.kind === "measured");
  return of.network.value;
}

function network(change: Partial<NetworkFacts>): Facts {
  return { ...HEALTHY, network: known({ ...facts(), ...change }) };
}

function links() {
  return facts().links;
}

/** A link takes its addresses and routes along. */
function withoutLink(): Facts {
  const isOther = ({ ifindex }: { readonly ifindex: number }) => ifindex !== LINK_IFINDEX;
  const { links, addresses, routes } = facts();
  return network({
    links: links.filter(isOther),
    addresses: addresses.filter(isOther),
    routes: routes.filter(isOther),
  });
}

function proxyOf() {
  ok(HEALTHY.proxies.kind === "measured");
  return HEALTHY.proxies.value[0]!;
}

function upstreams(...outcomes: readonly Outcome[]): Facts {
  const asked = outcomes.map((outcome, at) => ({
    server: `192.168.1.${at + 1}:53`,
    outcome,
    elapsedMs: 3,
  }));
  return { ...HEALTHY, upstreams: known(asked) };
}

function zones(system: Outcome, first: Outcome = system): Facts["zones"] {
  return known([{
    zone: "company.test",
    probe: "vnet-diag-1.company.test",
    system,
    nameservers: [{ server: "192.168.1.1", outcome: first, elapsedMs: 2 }],
  }]);
}
