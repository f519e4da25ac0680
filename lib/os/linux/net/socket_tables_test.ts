import { deepEqual, ok } from "node:assert/strict";
import { formatIp } from "../../../ip/mod.ts";
import {
  parseSocketTable,
  readSocketTables,
  SOCKET_TABLES,
  type SocketRow,
  TCP_STATE,
} from "./socket_tables.ts";

const HEAD =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
const REST = "00000000:00000000 00:00000000 00000000  1000        0";
const ZERO = "0".repeat(32);

// The form on a little-endian machine.
const row = (local: string, remote: string, state: string, inode = "33") =>
  `   0: ${local} ${remote} ${state} ${REST} ${inode} 1 0 20 4\n`;

const shown = ({ local, remote, state, isHeld }: SocketRow) =>
  `${formatIp(local)} ${formatIp(remote)} ${state}${isHeld ? "" : " nobody's"}`;

Deno.test("parseSocketTable() reads both ends, the state, and whether anybody holds it", async (t) => {
  const cases: [name: string, text: string, want: readonly string[]][] = [
    ["a connection", row("0101400A:8D2E", "04034064:1538", "01"), ["10.64.1.1 100.64.3.4 1"]],
    ["a listener", row("00000000:0016", "00000000:0000", "0A"), ["0.0.0.0 0.0.0.0 10"]],
    ["one that ends", row("0100007F:1", "04034064:1538", "06", "0"), [
      "127.0.0.1 100.64.3.4 6 nobody's",
    ]],
    ["IPv6", row(`${ZERO}:1`, `${"B80D0120".padEnd(24, "0")}01000000:50`, "01"), [
      ":: 2001:db8::1 1",
    ]],
    ["IPv4 by IPv6", row(`${ZERO}:1`, `${"0".repeat(16)}FFFF000004034064:50`, "08"), [
      ":: 100.64.3.4 8",
    ]],
    ["no row", " 0: garbage\n\n", []],
    ["an end too short", row("0101400A:8D2E", "040340:1538", "01"), []],
    ["nothing", "", []],
  ];
  for (const [name, text, want] of cases) {
    await t.step(name, () => deepEqual(parseSocketTable(HEAD + text).map(shown), want));
  }
});

Deno.test("parseSocketTable() says on which connections nothing has come back", async (t) => {
  const cases: [name: string, timer: string, again: string, probes: string, want: boolean][] = [
    ["nothing on the way", "00:00000000", "00000000", "0", false],
    ["sent, and not yet sent again", "01:00000014", "00000000", "0", false],
    ["sent again", "01:00000014", "00000001", "0", true],
    ["keepalive", "02:00000AB4", "00000000", "0", false],
    ["a full buffer, and the peer says so", "04:00000014", "00000000", "0", false],
    ["a full buffer, and nobody there", "04:00000014", "00000000", "2", true],
  ];
  for (const [name, timer, again, probes, want] of cases) {
    await t.step(name, () => {
      const line =
        `   0: 0101400A:8D2E 08080808:01BB 01 00000000:00000000 ${timer} ${again}  1000 ${probes} 33 1\n`;
      const [row] = parseSocketTable(HEAD + line);
      deepEqual([row?.isUnheard, row?.localPort, row?.remotePort], [want, 0x8d2e, 443]);
    });
  }
});

Deno.test("readSocketTables() finds the sockets of this machine", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using client = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  using _server = await listener.accept();
  ok(client.remoteAddr.port > 0);
  const rows = readSocketTables(SOCKET_TABLES);
  const both = rows.filter(({ remote, state, isHeld }) =>
    formatIp(remote) === "127.0.0.1" && state === TCP_STATE.established && isHeld
  );
  ok(both.length >= 2);
});
