/** What cannot work is refused with a code, a hint and the documented exit status. */
import { equal, match, ok } from "node:assert/strict";
import { Cluster } from "../world/cluster.ts";
import { killQuietly, type Outcome } from "../host/process.ts";
import { story } from "../host/needs.ts";
import { until } from "../host/wait.ts";
import { PASSWORD, USER, World } from "../world/world.ts";

/** Runs a program with a clock two hours late, by libfaketime; its shared memory is then the host's own. */
const LATE_CLOCK = ["env", "LD_PRELOAD=/usr/$LIB/faketime/libfaketime.so.1", "FAKETIME=-2h"];

interface Finding {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

story("refuse: what cannot work says why and what helps", async (step, lab) => {
  const world = await World.open(lab, "nginx");
  const { client, vnet, cluster } = world;
  // deno-fmt-ignore
  const login = ["login", "--proxy", "vnet.example.com", "--user", USER, "--password-stdin"];
  const stdin = `${PASSWORD}\n`;

  await step("a login with a wrong pin", async () => {
    const args = [...login, "--ca-pin", `sha256:${"0".repeat(64)}`];
    refused(await vnet.run(args, { stdin, expect: "any" }), "ca-pin-mismatch", 1);
  });

  await step("a login without a pin, at a proxy no public authority vouches for", async () => {
    refused(await vnet.run(login, { stdin, expect: "any" }), "proxy-untrusted", 1);
  });

  await step("a login with a wrong password, and one of nobody", async () => {
    const args = [...login, "--ca-pin", cluster.caPin];
    const wrong = await vnet.run(args, { stdin: "not the password\n", expect: "any" });
    refused(wrong, "login-failed", 1);
    const nobody = args.map((word) => word === USER ? "nobody" : word);
    const unknown = await vnet.run(nobody, { stdin, expect: "any" });
    equal(unknown.stderr.replaceAll("nobody", USER), wrong.stderr);
  });

  await step("up without a login", async () => {
    refused(await vnet.run(["up", "--detach"], { expect: "any" }), "login-needed", 4);
  });

  await step("up in the foreground tells why it cannot start, and tells it once", async () => {
    const outcome = await vnet.run(["up"], { expect: "any" });
    refused(outcome, "login-needed", 4);
    equal(outcome.stderr.match(/^error:/gm)?.length, 1, outcome.stderr);
    equal(outcome.stderr.match(/^hint:/gm)?.length, 1, outcome.stderr);
  });

  await world.login();

  await step("another login to the same proxy goes by the pin it was given", async () => {
    await vnet.run(login, { stdin });
  });

  await step("up with a device name that somebody else has", async () => {
    const holder = client.spawn(["socat", "TUN,tun-name=vnet0,iff-up", "EXEC:cat"]);
    await until("vnet0 is there", 2_000, () => linkExists(client.pid, "vnet0"));
    const named = ["up", "--detach", "--link", "vnet0"];
    refused(await vnet.run(named, { expect: "any" }), "tun-busy", 1);
    await vnet.run(["up", "--detach"]);
    ok(linkExists(client.pid, "vnet1"), "It took no other name");
    await vnet.run(["down"]);
    await holder.stop();
    await checkUntouched(world);
  });

  await step("up with a range that somebody else routes", async () => {
    await client.script("ip route add 100.100.128.0/17 via 192.168.77.1");
    const forced = ["up", "--detach", "--cidr", "100.100.0.0/16"];
    refused(await vnet.run(forced, { expect: "any" }), "range-conflict", 1);
    await checkUntouched(world);
    await vnet.run(["up", "--detach"]);
    equal(await client.output(["curl", "-sS", "http://web.vnet.example.com/"]), "port 80");
    const { findings } = await vnet.json<{ findings: Finding[] }>(["status"]);
    ok(findings.find(({ code }) => code === "range-moved")?.hint, "Nothing was said");
    await vnet.run(["down"]);
    await client.script("ip route del 100.100.128.0/17");
    await checkUntouched(world);
  });

  await step("a configuration file with mistakes, all at once", async () => {
    await client.run(["sh", "-c", "cat >/run/bad.yaml"], {
      stdin:
        "version: v1\ncluster_name: 7\nproxy_service:\n  listen_addr: nowhere\n  colour: red\n",
    });
    for (const part of ["server", "agent"]) {
      const outcome = await vnet.run([part, "start", "--config", "/run/bad.yaml"], {
        expect: "any",
      });
      refused(outcome, "config-invalid", 1);
      match(outcome.stderr, /\/run\/bad\.yaml/);
      match(outcome.stderr, /found .*expected /);
    }
    const outcome = await vnet.run(["server", "start", "--config", "/run/bad.yaml"], {
      expect: "any",
    });
    for (const path of ["cluster_name", "data_dir", "listen_addr", "public_addr", "colour"]) {
      ok(outcome.stderr.includes(path), `Nothing about ${path}: ${outcome.stderr}`);
    }
  });

  await step("a configuration file that is not there", async () => {
    const args = ["server", "start", "--config", "/run/absent.yaml"];
    refused(await vnet.run(args, { expect: "any" }), "file-missing", 2);
  });

  await step("a command that does not exist", async () => {
    refused(await vnet.run(["frobnicate"], { expect: "any" }), "usage", 2);
  });

  await step(
    "more names than addresses: those that have one work, the rest is a finding",
    async () => {
      await cluster.ctl(["create", "--force", "-f", "-"], tinyRange());
      await cluster.addAgent(world.lan, manyApps(lab.directory));
      await vnet.run(["up", "--detach"]);
      const finding = await until("the range is full", 10_000, async () => {
        const { findings } = await vnet.json<{ findings: Finding[] }>(["status"], { quiet: true });
        return findings.find(({ code }) => code === "range-full");
      });
      ok(finding.hint, "There is no hint");
      equal(await client.output(["curl", "-sS", "http://web.vnet.example.com/"]), "port 80");
      await vnet.run(["down"]);
    },
  );

  await step("a login that has expired", async () => {
    await vnet.run(["logout"]);
    await cluster.server.stop();
    const late = await Cluster.open(lab, world.proxy, LATE_CLOCK);
    await vnet.run([...login, "--ca-pin", late.caPin, "--ttl", "1h"], { stdin, expect: "any" });
    refused(await vnet.run(["up", "--detach"], { expect: "any" }), "login-expired", 4);
    await late.server.stop();
  });

  await step("a proxy whose authority is another one than at login", async () => {
    const again = await Cluster.open(lab, world.proxy);
    equal(again.caPin, cluster.caPin);
    await vnet.run(["logout"]);
    await world.login();
    await again.server.stop();
    await world.proxy.run(["rm", "-r", "/var/lib/vnet-server"]);
    const foreign = await Cluster.open(lab, world.proxy);
    await foreign.addUser(USER, PASSWORD, "dev");
    const args = [...login, "--ca-pin", cluster.caPin];
    refused(await vnet.run(args, { stdin, expect: "any" }), "ca-pin-mismatch", 1);
    const up = await vnet.run(["up", "--detach"], { expect: "any" });
    const profiles = await vnet.run(["status", "--format", "json"], { expect: "any" });
    match(`${up.stderr} ${profiles.stdout}`, /proxy-untrusted|certificate-foreign/);
    await vnet.run(["down"]);
  });
  for (const { pid } of client.processes()) killQuietly(pid, "SIGKILL");
});

/** Checks that an outcome is a refusal as documented: status, code, and a hint for people. */
function refused(outcome: Outcome, code: string, status: number): void {
  match(outcome.stderr, new RegExp(`\\[${code}\\]`));
  match(outcome.stderr, /^hint: \S/m);
  equal(outcome.code, status);
  equal(outcome.stdout, "");
}

/** A start that failed has changed nothing. */
async function checkUntouched({ client }: World): Promise<void> {
  match(await client.output(["cat", "/etc/resolv.conf"]), /^# resolv.conf of client\n/);
  equal(await client.output(["ip", "-o", "link", "show", "type", "tun"]), "");
  await until("no process of vnet is left", 5_000, () => client.processes().length === 0);
}

function linkExists(pid: number, name: string): boolean {
  return Deno.readTextFileSync(`/proc/${pid}/net/dev`).includes(`${name}:`);
}

function tinyRange(): string {
  return JSON.stringify({
    kind: "vnet_config",
    version: "v1",
    metadata: { name: "vnet-config" },
    spec: { ipv4_cidr_range: "100.100.0.0/27", custom_dns_zones: [{ suffix: "company.test" }] },
  });
}

/** An agent's file with more apps than the tiny range has addresses. */
function manyApps(directory: string): string {
  const apps = Array.from(
    { length: 40 },
    (_, i) => `    - { name: zz-many-${i}, uri: "tcp://127.0.0.1:9", labels: { env: dev } }\n`,
  );
  const file = `${directory}/many.yaml`;
  Deno.writeTextFileSync(
    file,
    "version: v1\nname: agent2\ndata_dir: /var/lib/vnet-agent\n" +
      "proxy_server: vnet.example.com:443\nca_pin: CA_PIN\n" +
      "join: { token_file: /run/vnet-agent.token }\napp_service:\n  apps:\n" + apps.join(""),
  );
  return file;
}
