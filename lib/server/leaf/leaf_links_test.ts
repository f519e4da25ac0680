import { equal } from "node:assert/strict";
import { LeafLinks } from "./leaf_links.ts";

Deno.test("a link whose root cannot be told ends neither the others nor the server", async () => {
  const said: string[] = [];
  const closed = Promise.withResolvers<void>();
  let revision = 0;
  const link = (cluster: string) => ({
    cluster,
    settings: {
      server: { host: "127.0.0.1", port: 1 },
      trust: { kind: "public" as const },
      identity: null,
      dial: () => Promise.reject(new Error("nobody there")),
      nowMs: () => 0,
    },
    key: "k",
    beginsMs: 0,
    expiresMs: 1e12,
  });
  const links = new LeafLinks(
    {
      roots: {
        links: () => [link("bad.example"), link("good.example")],
        hello: (root: string) => {
          said.push(root);
          if (root === "bad.example") throw new TypeError("too many");
          if (said.filter((one) => one === "good.example").length > 2) closed.resolve();
          return null;
        },
        reportTo: () => {},
        tellEnds: () => {},
      },
      foreign: { end: () => {}, carry: () => {}, lock: () => {}, revoke: () => {} },
      revision: () => revision,
      changed: (_since: number, signal: AbortSignal) => {
        revision++;
        return signal.aborted ? new Promise(() => {}) : Promise.resolve();
      },
      nowMs: () => 0,
    } as unknown as ConstructorParameters<typeof LeafLinks>[0],
  );
  await closed.promise;
  await links.close();
  equal(said.includes("bad.example"), true);
});
