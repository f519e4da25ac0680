import { deepEqual, ok } from "node:assert/strict";
import { formatIp, parseIp } from "../../../ip/mod.ts";
import { TCP_STATE } from "../net/socket_tables.ts";
import { loadShim } from "../shim.ts";
import { connectedEnds, listOccupants, nameserversIn } from "./occupants.ts";

loadShim();

const ends = (remote: string, state: number, isHeld = true) =>
  connectedEnds([{ local: parseIp("192.0.2.5"), remote: parseIp(remote), state, isHeld }])
    .map(({ address }) => formatIp(address));

Deno.test("connectedEnds() counts what a program still reads from, and nothing else", async (t) => {
  const both = ["192.0.2.5", "10.9.9.7"];
  const cases: [name: string, state: number, isHeld: boolean, want: readonly string[]][] = [
    ["established", TCP_STATE.established, true, both],
    ["half closed by us", TCP_STATE.finWait2, true, both],
    ["half closed by them", TCP_STATE.closeWait, true, both],
    ["nobody's any more", TCP_STATE.finWait2, false, []],
    ["only trying", TCP_STATE.synSent, true, []],
    ["over", 6, false, []],
    ["an unconnected UDP socket", 7, true, []],
    ["a listener", 10, true, []],
  ];
  for (const [name, state, isHeld, want] of cases) {
    await t.step(name, () => deepEqual(ends("10.9.9.7", state, isHeld), want));
  }
  deepEqual(ends("0.0.0.0", TCP_STATE.established), ["192.0.2.5"]);
});

Deno.test("nameserversIn() reads all of them, however many, and whatever else is there", () => {
  const text = "# nameserver 192.0.2.1\nnameserver 10.0.0.53\nnameserver\t10.0.1.53 # main\n" +
    "nameserver ::ffff:10.0.2.53\nnameserver fe80::1%eth0\nnameserver banana\nnameserver\n" +
    "options edns0\nsearch a.test\nnameserver 10.0.3.53\n";
  deepEqual(nameserversIn(text).map(formatIp), [
    "10.0.0.53",
    "10.0.1.53",
    "10.0.2.53",
    "fe80::1",
    "10.0.3.53",
  ]);
});

Deno.test("listOccupants() finds this machine's connections and connected UDP sockets", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.3", port: 0 });
  using client = await Deno.connect({ hostname: "127.0.0.3", port: listener.addr.port });
  using _server = await listener.accept();
  ok(client.remoteAddr.port > 0);
  const found = listOccupants([]);
  ok(found.some(({ kind, address }) => kind === "connection" && formatIp(address) === "127.0.0.3"));
  ok(!found.some(({ kind }) => kind === "nameserver"));
});
