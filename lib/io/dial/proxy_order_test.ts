import { deepEqual, equal } from "node:assert/strict";
import type { HostPort } from "../../ip/mod.ts";
import { ProxyOrder } from "./proxy_order.ts";

const [A, B, C] = ["a", "b", "c"].map((name) => ({ host: `${name}.test`, port: 443 })) as [
  HostPort,
  HostPort,
  HostPort,
];

Deno.test("ProxyOrder.list() has who answered last first, who failed last, each once and for a while", () => {
  const clock = { nowMs: 1_000_000 };
  const order = new ProxyOrder(A, () => clock.nowMs);
  const names = () => order.list().map(({ host }) => host[0]).join("");
  equal(names(), "a");
  order.know([B, { ...A }, C, { ...B }]);
  equal(names(), "abc");
  order.answered(C);
  equal(names(), "cab");
  order.failed(C);
  equal(names(), "abc");
  order.failed(A);
  equal(names(), "bac");
  deepEqual([A, B].map((proxy) => order.isShunned(proxy)), [true, false]);
  order.answered(A);
  equal(order.isShunned(A), false);
  equal(names(), "abc");
  clock.nowMs += 60_000;
  order.answered(C);
  clock.nowMs += 599_999;
  equal(names(), "cab");
  clock.nowMs += 1;
  equal(names(), "abc");
  // A clock that was set back does not make it last longer.
  order.failed(A);
  clock.nowMs -= 3_600_000;
  equal(names(), "abc");
  order.failed(A);
  order.forget();
  equal(names(), "abc");
  order.know([]);
  deepEqual(order.list(), [A]);
});

Deno.test("ProxyOrder.list() is bounded", () => {
  const order = new ProxyOrder(A, () => 0);
  order.know(Array.from({ length: 40 }, (_, n) => ({ host: `p${n}.test`, port: 443 })));
  equal(order.list().length, 16);
});
