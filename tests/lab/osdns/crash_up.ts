/**
 * Points the host at a server, says so, and stays until it is killed.
 *
 * @module
 */
import { parseEndpoint } from "../../../lib/ip/mod.ts";
import { OsDns } from "../../../lib/os/linux/dns/mod.ts";

const dns = await OsDns.open({ journalDir: "/var/lib/vnet" });
await dns.apply({
  link: "vnet0",
  ifindex: 1,
  server: parseEndpoint(Deno.args[0] ?? "127.0.53.1:53"),
  zones: ["corp.example.com"],
  mode: "auto",
});
Deno.stdout.writeSync(new TextEncoder().encode("up\n"));
setInterval(() => {}, 60_000);
