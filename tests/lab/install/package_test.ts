/** The Debian package on a machine: install, use, purge, and nothing is left but what the user was told of. */
import { deepEqual, equal, match } from "node:assert/strict";
import { buildDeb } from "../../../scripts/release/deb.ts";
import { layOutDebian, MAINTAINER } from "../../../scripts/release/debian.ts";
import { gather } from "../../../scripts/release/gather.ts";
import { FreshRoot } from "../host/fresh_root.ts";
import { story } from "../host/needs.ts";
import { buildPacked } from "../world/packed.ts";
import { say } from "../host/say.ts";

/** What apt, dpkg and man write down for themselves. */
const OF_THE_TOOLS = [
  /^\/var\/log\/(apt(\/|$)|dpkg\.log$|alternatives\.log$)/,
  /^\/var\/cache\/(apt|man|debconf)(\/|$)/,
  /^\/var\/lib\/apt\//,
  /^\/var\/lib\/dpkg\/(status(-old)?|available(-old)?|lock(-frontend)?|triggers\/Lock)$/,
];

/** The machine's own resolver, which knows no name. */
const RESOLVER = `
  mkdir -p etc && echo 'nameserver 127.0.0.1' >etc/resolv.conf
`;

story("package: install, use, purge", async (step, lab) => {
  const deb = `${lab.directory}/vnet.deb`;
  await packageQuickly(deb);
  const host = await lab.host("machine");
  const root = await FreshRoot.open(host, RESOLVER);
  await host.script("ip link set lo up");
  const resolver = [
    "dnsmasq",
    "--keep-in-foreground",
    "--conf-file=/dev/null",
    "--user=root",
    "--pid-file=",
  ];
  host.spawn([
    ...resolver,
    "--no-resolv",
    "--no-hosts",
    "--local=/#/",
    "--listen-address=127.0.0.1",
    "--bind-interfaces",
  ]);
  await host.listening(53);
  const leftNow = async () =>
    (await root.changes()).filter((path) => !OF_THE_TOOLS.some((tool) => tool.test(path)));

  await step("lintian finds neither errors nor warnings", async () => {
    // Not of scripts/setup: a hundred packages of Perl.
    if ((await host.run(["which", "lintian"], { expect: "any" })).code !== 0) {
      return say("lintian is not installed");
    }
    const { stdout } = await host.run(["lintian", "--fail-on=error,warning", deb], {
      timeoutMs: 60_000,
    });
    equal(stdout, "");
  });

  await root.put(deb, "/tmp/vnet.deb");
  await step("apt install", async () => {
    await root.run(["apt-get", "install", "--yes", "-qq", "/tmp/vnet.deb"]);
    match((await root.run(["vnet", "version"])).stdout, /^vnet [0-9.]+ .*packed/);
    equal((await root.run(["dpkg", "--verify", "vnet"])).stdout, "");
  });

  await step("man vnet", async () => {
    const { stdout, stderr } = await root.run(["man", "vnet"], { quiet: true });
    match(stdout, /^VNET\(1\)/);
    equal(stderr, "");
  });

  await step("vnet demo, in namespaces and on the machine's own network", async () => {
    match((await root.run(["vnet", "demo"])).stdout, /^All \d+ claims held/m);
    match((await root.run(["vnet", "demo", "--host"])).stdout, /^All \d+ claims held/m);
  });

  await step("apt purge leaves nothing but what it names: configuration and keys", async () => {
    await root.put("/dev/null", "/etc/vnet/server.yaml");
    await root.run(["rm", "/tmp/vnet.deb"]);
    const { stdout, stderr } = await root.run(["apt-get", "purge", "--yes", "-qq", "vnet"]);
    const named = `${stdout}${stderr}`.match(/^vnet: .*$/gm);
    deepEqual(named?.map((line) => line.split(" ")[1]), ["/etc/vnet"]);
    equal((await root.run(["dpkg-query", "--show", "vnet"], { expect: "any" })).code, 1);
    deepEqual(await leftNow(), ["/etc/vnet", "/etc/vnet/server.yaml"]);
  });
});

/** Packages what `deno task release` would, but for the compression. */
async function packageQuickly(out: string): Promise<void> {
  const gathered = await gather(await buildPacked());
  const facts = {
    ...gathered,
    version: "0-1",
    architecture: "amd64",
    maintainer: MAINTAINER,
    level: 0,
  };
  await buildDeb({ ...facts, files: layOutDebian(gathered.files, facts) }, out);
}
