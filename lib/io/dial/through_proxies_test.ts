import { deepEqual, equal, rejects } from "node:assert/strict";
import { AuthError, NetworkError } from "../../error.ts";
import type { HostPort } from "../../ip/mod.ts";
import { ProxyOrder } from "./proxy_order.ts";
import { throughProxies } from "./through_proxies.ts";

const NEVER = new AbortController().signal;
const HOUR_MS = 3_600_000;

/** A cluster of so many proxies, of which some answer; the rest are silent. */
function world(count: number, answers: ReadonlyMap<string, () => Promise<string>>) {
  const [first, ...others] = Array.from({ length: count }, (_, index): HostPort => ({
    host: `${"abcdef"[index]}.test`,
    port: 443,
  }));
  const order = new ProxyOrder(first!, () => 0);
  order.know(others);
  const asked: string[] = [];
  const attempt = ({ host }: HostPort, signal: AbortSignal) => {
    asked.push(host[0]!);
    const answer = answers.get(host[0]!);
    if (answer !== undefined) return answer();
    const { promise, reject } = Promise.withResolvers<string>();
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    return promise;
  };
  const names = () => order.list().map(({ host }) => host[0]).join("");
  return { order, asked, names, act: "Cannot ask", attempt };
}

const fails = (code: string) => () => Promise.reject(new NetworkError(code, "no"));

Deno.test("throughProxies() has every proxy asked at last, however many before it are silent", async () => {
  const { order, asked, names, ...rest } = world(5, new Map([["d", () => Promise.resolve("yes")]]));
  // One attempt a time: the next begins when the deadline is long over.
  const ask = () => throughProxies(order, { ...rest, silenceMs: HOUR_MS, allMs: 20 }, NEVER);
  for (const next of ["bcdea", "cdeab", "deabc"]) {
    await rejects(ask(), { code: "proxy-silent" });
    equal(names(), next);
  }
  equal(await ask(), "yes");
  deepEqual([asked.join(""), names()[0]], ["abcd", "d"]);
});

Deno.test("throughProxies() asks no other after an answer, be it a refusal", async () => {
  const refuses = () => Promise.reject(new AuthError("access-denied", "no"));
  const { order, asked, names, ...rest } = world(
    3,
    new Map([["a", fails("proxy-closed")], ["b", refuses]]),
  );
  await rejects(throughProxies(order, rest, NEVER), { code: "access-denied" });
  deepEqual([asked.join(""), names()], ["ab", "bca"]);
});

Deno.test("throughProxies() throws the first one's failure when all fail, after the last resort", async () => {
  const down = (host: string): [string, () => Promise<string>] => [host, fails("proxy-closed")];
  const { order, asked, names, ...rest } = world(
    2,
    new Map([
      ["a", fails("proxy-unreachable")],
      down("b"),
    ]),
  );
  await rejects(throughProxies(order, rest, NEVER), { code: "proxy-unreachable" });
  equal(names(), "ab");
  order.answered({ host: "b.test", port: 443 });
  const lastly = ({ host }: HostPort) => Promise.resolve(`${host} after all`);
  equal(await throughProxies(order, { ...rest, lastly }, NEVER), "b.test after all");
  deepEqual([asked.join(""), names()], ["abba", "ba"]);
});

Deno.test("throughProxies() says nothing of anybody when its caller gives up", async () => {
  const { order, names, asked, ...rest } = world(2, new Map());
  const stop = new AbortController();
  const asking = throughProxies(order, rest, stop.signal);
  stop.abort(new Error("enough"));
  await rejects(asking, /enough/);
  deepEqual([asked, names(), order.isShunned(order.list()[0]!)], [["a"], "ab", false]);
});
