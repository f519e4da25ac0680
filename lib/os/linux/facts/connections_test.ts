import { deepEqual, ok } from "node:assert/strict";
import { parsePrefix } from "../../../ip/mod.ts";
import { connectionsIn } from "./connections.ts";

Deno.test("connectionsIn() finds a connection of this machine", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using client = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  using _server = await listener.accept();
  ok(client.remoteAddr.port > 0);
  ok(connectionsIn([parsePrefix("127.0.0.0/8")]).length >= 2);
  deepEqual(connectionsIn([parsePrefix("198.18.0.0/15")]), []);
});
