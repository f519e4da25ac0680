import { deepEqual, equal, ok } from "node:assert/strict";
import { RESOLV_CONF_MAGIC } from "../../../dns/mod.ts";
import { parseEndpoint } from "../../../ip/mod.ts";
import { journalFiles } from "../../journal_files.ts";
import { parseNetAdmin, tunDevice } from "./capabilities.ts";
import { findContainer, parseDistribution } from "./distribution.ts";
import { listsFlock, readJournal } from "./journal.ts";
import { parseLinkNames } from "./network.ts";
import { isStopped, listCommandLines, parseCommandLine } from "./processes.ts";
import { sortDomains } from "./resolved_link.ts";
import { readNssHosts, readResolvConf } from "./resolver_files.ts";
import { isNoWay, parseDevice } from "./ways.ts";

async function inDirectory(act: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "vnet-facts-" });
  try {
    await act(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("parseNetAdmin() reads the effective capabilities", async (t) => {
  const cases: [name: string, status: string, want: boolean | null][] = [
    ["root", "CapPrm:\t000001ffffffffff\nCapEff:\t000001ffffffffff\n", true],
    ["that one alone", "CapEff:\t0000000000001000\n", true],
    ["the others alone", "CapEff:\t000001ffffffefff\n", false],
    ["permitted, not in effect", "CapPrm:\t0000000000001000\nCapEff:\t0000000000000000\n", false],
    ["a kernel that does not say", "Name:\tvnet\n", null],
  ];
  for (const [name, status, want] of cases) {
    await t.step(name, () => equal(parseNetAdmin(status), want));
  }
});

Deno.test("tunDevice() says why it cannot be opened", async () => {
  equal(await tunDevice("/dev/null"), null);
  equal(await tunDevice("/dev/net/no-such-device"), "ENOENT");
});

// The form of /proc/net/dev.
const NET_DEV = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo
    lo: 8127361   10101    0    0    0     0          0         0  8127361   10101    0    0    0
  eth0:38172312   48211    0    0    0     0          0         0  1231231   20000    0    0    0
eth0.7:       0       0    0    0    0     0          0         0        0       0    0    0    0
`;

Deno.test("parseLinkNames() reads below the heading", () => {
  deepEqual(parseLinkNames(NET_DEV), ["lo", "eth0", "eth0.7"]);
  deepEqual(parseLinkNames(""), []);
});

Deno.test("parseDevice() and isNoWay() read what `ip route get` says", async (t) => {
  // The form of what `ip -j route get 100.64.0.2 uid 0` says.
  const routed =
    `[{"dst":"100.64.0.2","dev":"vnet0","prefsrc":"100.64.0.1","flags":[],"uid":0,"cache":[]}]`;
  const devices: [json: string, want: string | null][] = [
    [routed, "vnet0"],
    [`[{"type":"unreachable","dst":"100.64.0.2"}]`, null],
    [`[]`, null],
    [`{}`, null],
  ];
  for (const [json, want] of devices) await t.step(json, () => equal(parseDevice(json), want));
  const said: [stderr: string, want: boolean][] = [
    ["RTNETLINK answers: Network is unreachable\n", true],
    ["RTNETLINK answers: No route to host\n", true],
    ["RTNETLINK answers: Operation not permitted\n", false],
    [`Error: any valid prefix is expected rather than "x".\n`, false],
  ];
  for (const [stderr, want] of said) await t.step(stderr, () => equal(isNoWay(stderr), want));
});

Deno.test("processes are listed with their words", async () => {
  deepEqual(parseCommandLine(""), []);
  deepEqual(parseCommandLine("sh\0-c\0\0"), ["sh", "-c", ""]);
  deepEqual(parseCommandLine("written over"), ["written over"]);
  await inDirectory(async (dir) => {
    for (const [pid, words, state] of [[7, "vnet\0helper\0", "S (sleeping)"], [8, "", "T"]]) {
      await Deno.mkdir(`${dir}/${pid}`);
      await Deno.writeTextFile(`${dir}/${pid}/cmdline`, String(words));
      await Deno.writeTextFile(`${dir}/${pid}/status`, `Name:\tx\nState:\t${state}\n`);
    }
    await Deno.mkdir(`${dir}/9`); // it ended while we looked
    await Deno.mkdir(`${dir}/sys`);
    const found = listCommandLines(dir).toSorted((a, b) => a.pid - b.pid);
    deepEqual(found, [
      { pid: 7, words: ["vnet", "helper"] },
      { pid: 8, words: [] },
      { pid: 9, words: [] },
    ]);
    deepEqual([7, 8, 9].map((pid) => isStopped(pid, dir)), [false, true, false]);
  });
  ok(listCommandLines().some(({ pid }) => pid === Deno.pid));
});

Deno.test("readResolvConf() and readNssHosts() describe what lies there", async () => {
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
    equal((await readResolvConf(`${dir}/target`)).kind, "file");
    equal(await readNssHosts(`${dir}/nsswitch.conf`), null);
    await Deno.writeTextFile(`${dir}/nsswitch.conf`, "hosts: files dns\n");
    deepEqual((await readNssHosts(`${dir}/nsswitch.conf`))?.length, 2);
  });
});

Deno.test("readJournal() tells what is to be undone, and by whom", async () => {
  await inDirectory(async (dir) => {
    const { entry, lock } = journalFiles(dir);
    const journal = { path: entry, hasEntry: false, isOwned: false };
    deepEqual(await readJournal(dir), journal);
    await Deno.writeTextFile(entry, "{}");
    using file = await Deno.open(lock, { write: true, create: true });
    deepEqual(await readJournal(dir), { ...journal, hasEntry: true });
    await file.lock(true);
    deepEqual(await readJournal(dir), { ...journal, hasEntry: true, isOwned: true });
  });
});

// The form of /proc/locks.
const LOCKS = `1: POSIX  ADVISORY  WRITE 1234 fe:01:4242 0 EOF
2: FLOCK  ADVISORY  WRITE 1235 fe:01:4711 0 EOF
2: -> FLOCK  ADVISORY  WRITE 1236 fe:01:4711 0 EOF
`;

Deno.test("listsFlock() finds locks of whole files, by whole inodes", async (t) => {
  for (const [inode, want] of [[4711, true], [4242, false], [711, false], [471, false]] as const) {
    await t.step(`${inode}`, () => equal(listsFlock(LOCKS, inode), want));
  }
});

Deno.test("sortDomains() tells a link's own domains from everybody else's", () => {
  const domain = (name: string, ifindex: number, isRouteOnly = true) => ({
    domain: name,
    ifindex,
    isRouteOnly,
  });
  const settings = { defaultRoute: false, dnssec: "no", dnsOverTls: null };
  const servers = [parseEndpoint("127.0.0.1:5300")];
  const found = sortDomains(
    {
      ...settings,
      servers,
      domains: [domain("a.test", 4), domain("b.test", 2, false), domain("c.test", 0)],
    },
    4,
    (ifindex) => `link ${ifindex}`,
  );
  deepEqual(found, {
    ...settings,
    servers,
    domains: [{ name: "a.test", routeOnly: true }],
    elsewhere: [{ name: "b.test", link: "link 2" }, { name: "c.test", link: "resolved.conf" }],
  });
});

Deno.test("parseDistribution() reads the pretty name", async (t) => {
  const cases: [release: string, want: string | null][] = [
    [`NAME="Debian GNU/Linux"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n`, DEBIAN],
    [`PRETTY_NAME=Void\n`, "Void"],
    [`NAME=x\n`, null],
    ["", null],
  ];
  for (const [release, want] of cases) {
    await t.step(release, () => equal(parseDistribution(release), want));
  }
});

const DEBIAN = "Debian GNU/Linux 12 (bookworm)";

Deno.test("findContainer() goes by what lies there", async () => {
  await inDirectory(async (dir) => {
    equal(await findContainer(dir), null);
    await Deno.mkdir(`${dir}/run`);
    await Deno.writeTextFile(`${dir}/run/.containerenv`, "");
    equal(await findContainer(dir), "podman");
    await Deno.writeTextFile(`${dir}/.dockerenv`, "");
    equal(await findContainer(dir), "docker");
  });
});
