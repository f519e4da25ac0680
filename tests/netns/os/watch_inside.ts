/** Makes its namespaces a machine, and says what is seen there whenever that is different. */
import { statSync } from "node:fs";
import { formatIp, parseIp } from "../../../lib/ip/mod.ts";
import { thisMachine } from "../../../lib/os/mod.ts";

const SOCKET = "/run/nscd/socket";

const machine = thisMachine();
const root = machine.inside();
machine.processes.harden({ programs: true, mounts: true });
const dns = await root.resolver.open({ journalDir: "/" });
let reapplied = 0;
let { upstreams } = await dns.apply({
  ...{ link: "vnet0", ifindex: 2, server: { address: parseIp("127.0.53.1"), port: 53 } },
  ...{ zones: [], mode: "auto" },
});
dns.watch((change) => {
  if (change.kind === "reapplied") reapplied++;
  if (change.kind === "warning") say(`${change.message}\n`, Deno.stderr);
  if (change.kind === "upstreams") upstreams = change.upstreams;
}, new AbortController().signal);
let last = "";
setInterval(() => {
  const seen = JSON.stringify({
    file: read("/etc/resolv.conf").split("\n").filter((line) => /^nameserver/.test(line)).join(),
    hasService: statSync(SOCKET, { throwIfNoEntry: false })?.isSocket() ?? false,
    upstreams: upstreams.map(({ address }) => formatIp(address)).join(),
    reapplied,
  });
  if (seen !== last) say(`${seen}\n`, Deno.stdout);
  last = seen;
}, 20);

function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

function say(text: string, to: { writeSync(bytes: Uint8Array): number }): void {
  to.writeSync(new TextEncoder().encode(text));
}
