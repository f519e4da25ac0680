/**
 * What a story does inside its host: starts programs, runs clients, and says what holds.
 *
 * @module
 */

/** How long anything here may take to come up. */
const READY_MS = 10_000;
const OUR_LOG = "vnet-dns";

/** A program of the host that goes on running. */
export interface Service {
  readonly child: Deno.ChildProcess;
  stop(signal?: Deno.Signal): Promise<void>;
}

/** What a client program said. */
export interface Said {
  readonly status: number;
  readonly text: string;
}

/** Starts a program; what it says goes to a file in /tmp. */
export function start(command: string, args: readonly string[], log?: string): Service {
  const name = log ?? command.slice(command.lastIndexOf("/") + 1);
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", `exec "$0" "$@" >>/tmp/${name}.log 2>&1`, command, ...args],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  return {
    child,
    async stop(signal = "SIGTERM") {
      try {
        child.kill(signal);
      } catch {
        // it has ended already
      }
      await child.status;
    },
  };
}

/** Runs a program to its end. */
export async function run(command: string, ...args: readonly string[]): Promise<Said> {
  const { code, stdout, stderr } = await new Deno.Command(command, { args: [...args] }).output();
  const decoder = new TextDecoder();
  return {
    status: code,
    text: decoder.decode(stdout) + (code === 0 ? "" : decoder.decode(stderr)),
  };
}

/** Looks at a condition until it holds. */
export async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const end = performance.now() + READY_MS;
  while (!await holds()) {
    if (performance.now() > end) throw new Error(`Not within ${READY_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Says one thing that holds, or why it does not; a story goes on after either. */
export async function check(name: string, holds: () => Promise<void> | void): Promise<void> {
  try {
    await holds();
    say({ name, failure: null });
  } catch (error) {
    say({
      name,
      failure: error instanceof Error ? `${error.message}\n${error.stack}` : String(error),
    });
  }
}

/** One line for the test that started the host. */
export interface Checked {
  readonly name: string;
  /** `null` when it held. */
  readonly failure: string | null;
}

function say(checked: Checked): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(checked)}\n`));
}

/** The first address glibc's resolver finds for a name; empty when it finds none. */
export async function lookup(name: string): Promise<string> {
  const { text } = await run("getent", "ahostsv4", name);
  return text.split(/\s/)[0] ?? "";
}

/** Starts two resolvers of a provider, who have their own idea of our zone: a leak shows. */
export async function startProvider(): Promise<void> {
  for (
    const [address, answer] of [["10.99.0.53", "198.51.100.53"], ["10.99.0.54", "198.51.100.54"]]
  ) {
    start("nsenter", [
      ...[
        `--net=/proc/${Deno.env.get("PROVIDER")}/ns/net`,
        "dnsmasq",
        "--no-daemon",
        "--user=root",
      ],
      ...["--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces"],
      `--listen-address=${address}`,
      `--address=/www.public.test/${answer}`,
      "--address=/corp.example.com/203.0.113.99",
    ]);
    await until(
      `a resolver at ${address}`,
      async () => await ask(address as string, 53) === answer,
    );
  }
}

/** Starts a stand-in for vnet's DNS server: it knows the zone and forwards the rest. */
export async function startServer(address: string, port: number): Promise<Service> {
  const service = start("dnsmasq", [
    ...["--no-daemon", "--no-resolv", "--no-hosts", "--bind-interfaces", "--user=root"],
    ...["--conf-file=/dev/null", "--log-queries", `--listen-address=${address}`, `--port=${port}`],
    ...["--address=/corp.example.com/100.64.0.10", "--local=/corp.example.com/"],
    "--server=10.99.0.53",
  ], OUR_LOG);
  await until("our server", async () => await ask(address, port, "app.corp.example.com") !== "");
  return service;
}

/** Asks one resolver for an address. */
export async function ask(server: string, port: number, name = "www.public.test"): Promise<string> {
  const { text, status } = await run(
    "dig",
    ...["+short", "+time=1", "+tries=1", "-p", String(port), `@${server}`, name, "A"],
  );
  return status === 0 ? text.trim() : "";
}

/** Starts the system bus. */
export async function startBus(): Promise<Service> {
  const socket = "/run/dbus/system_bus_socket";
  const service = start("dbus-daemon", [
    ...["--system", "--nofork", "--nopidfile", `--address=unix:path=${socket}`],
  ]);
  await until("the bus", async () => (await run("busctl", "list")).status === 0);
  return service;
}

/** Says whether somebody owns a name on the bus. */
export async function hasOwner(name: string): Promise<boolean> {
  const bus = "org.freedesktop.DBus";
  const { text } = await run(
    "busctl",
    ...["call", bus, "/org/freedesktop/DBus", bus, "NameHasOwner", "s", name],
  );
  return text.trim() === "b true";
}

/** Starts systemd-resolved as its unit would. */
export async function startResolved(): Promise<Service> {
  await Deno.mkdir("/run/systemd/resolve", { recursive: true });
  await run("chown", "systemd-resolve:systemd-resolve", "/run/systemd/resolve");
  const service = start("/lib/systemd/systemd-resolved", []);
  await until("systemd-resolved", () => hasOwner("org.freedesktop.resolve1"));
  return service;
}

/** Starts NetworkManager with a connection on the uplink; `mode` is what it does about DNS. */
export async function startNetworkManager(mode: string): Promise<void> {
  await Deno.mkdir("/etc/NetworkManager/conf.d", { recursive: true });
  await Deno.mkdir("/etc/NetworkManager/dnsmasq.d", { recursive: true });
  await Deno.writeTextFile(
    "/etc/NetworkManager/conf.d/lab.conf",
    `[main]\nplugins=keyfile\nno-auto-default=wan0\ndns=${mode}\n`,
  );
  start("/usr/sbin/NetworkManager", ["--no-daemon"]);
  await until("NetworkManager", async () => {
    const { text } = await run("nmcli", "-t", "-f", "RUNNING", "general");
    return text.startsWith("running");
  });
  await run("nmcli", "device", "set", "wan0", "managed", "yes");
  await until("the device", async () => {
    const { text } = await run("nmcli", "-t", "-f", "DEVICE,STATE", "device");
    return /^wan0:(disconnected|connected)/m.test(text);
  });
  await run("nmcli", ...["connection", "add", "type", "ethernet", "con-name", "wan"], ...[
    ...["ifname", "wan0", "ipv4.method", "manual", "ipv4.addresses", "10.99.0.2/24"],
    ...["ipv4.gateway", "10.99.0.1", "ipv4.dns", "10.99.0.53", "ipv4.dns-search", "corp.lan"],
    ...["ipv6.method", "disabled"],
  ]);
  await run("nmcli", "connection", "up", "wan");
}

/** The questions our server was asked about one name. */
export async function askedUs(name: string): Promise<string[]> {
  const text = await Deno.readTextFile(`/tmp/${OUR_LOG}.log`);
  return text.split("\n").filter((line) => line.includes(`] ${name} from`));
}

/** Everything below a directory as text: kind, mode, owner, link target, content. */
export async function picture(directory: string): Promise<string> {
  const { text } = await run(
    "sh",
    "-c",
    `cd ${directory} && find . -printf '%p %y %m %U:%G %l\\n' | sort && find . -type f -print0 | sort -z | xargs -0 sha256sum`,
  );
  return text;
}
