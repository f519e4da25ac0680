import { deepEqual, ok } from "node:assert/strict";
import { formatIp, parsePrefix } from "../../../ip/mod.ts";
import { connectionsIn, parseTcpTable } from "./connections.ts";

// The form of /proc/net/tcp on a little-endian machine: one established, one listening, one in TIME_WAIT.
const TCP =
  `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0101400A:8D2E 04034064:1538 01 00000000:00000000 00:00000000 00000000  1000        0 33 1 0 20 4
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 34 1 0 100 0
   2: 0100007F:8D2E 04034064:1538 06 00000000:00000000 00:00000000 00000000  1000        0 0 1 0 20 4
`;

Deno.test("parseTcpTable() lists remote ends of living connections", () => {
  deepEqual(parseTcpTable(TCP).map(formatIp), ["100.64.3.4"]);
  const table6 = `sl\n 0: ${"0".repeat(32)}:1 ${"B80D0120".padEnd(24, "0")}01000000:50 01 x\n`;
  deepEqual(parseTcpTable(table6).map(formatIp), ["2001:db8::1"]);
  const mapped = `sl\n 0: ${"0".repeat(32)}:1 ${"0".repeat(16)}FFFF000004034064:50 01 x\n`;
  deepEqual(parseTcpTable(mapped).map(formatIp), ["100.64.3.4"]);
  deepEqual(parseTcpTable("sl\n 0: garbage\n\n"), []);
});

Deno.test("connectionsIn() finds a connection of this machine", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using client = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  using _server = await listener.accept();
  ok(client.remoteAddr.port > 0);
  ok((await connectionsIn([parsePrefix("127.0.0.0/8")])).length >= 2);
  deepEqual(await connectionsIn([parsePrefix("198.18.0.0/15")]), []);
});
