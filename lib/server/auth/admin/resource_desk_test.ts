import { deepEqual, rejects } from "node:assert/strict";
import type { Directory } from "../directory.ts";
import { ResourceDesk, type ResourceDeskOptions } from "./resource_desk.ts";

const ROLE = {
  kind: "role",
  name: "guest",
  revision: 1,
  body: JSON.stringify({
    kind: "role",
    version: "v1",
    metadata: { name: "guest" },
    spec: { allow: {}, deny: {}, options: {} },
  }),
};

function trusted(name: string) {
  return {
    kind: "trusted_cluster",
    version: "v1",
    metadata: { name },
    spec: {
      token: "0".repeat(32),
      web_proxy_addr: "root.example:443",
      role_map: [{ remote: "dev", local: ["guest"] }],
    },
  };
}

/** A desk whose store takes nothing. @returns What became of roots. */
function desk(more: Partial<ResourceDeskOptions> = {}) {
  const done: string[] = [];
  const resources = {
    list: () => Promise.resolve([ROLE]),
    putAll: () => Promise.resolve(null),
  };
  const none = () => Promise.resolve([]);
  const it = new ResourceDesk({
    store: { resources, agents: { list: none }, sessions: { listLive: none } },
    directory: {
      trusts: new Map(),
      guests: { names: () => [], of: () => null },
      reload: () => Promise.resolve(void done.push("reload")),
    } as unknown as Directory,
    audit: { write: () => Promise.resolve() },
    proxies: [],
    nowMs: () => 0,
    onLock: () => {},
    onReview: () => {},
    endUser: () => Promise.resolve(),
    joinRoot: ({ metadata: { name } }: { readonly metadata: { readonly name: string } }) => {
      done.push(`join ${name}`);
      return Promise.resolve(name !== "known.example");
    },
    leaveRoot: (name: string) => Promise.resolve(void done.push(`leave ${name}`)),
    onLeafRemoved: () => {},
    ...more,
  } as unknown as ResourceDeskOptions);
  return { it, done };
}

Deno.test("a root that was met for what is not written is trusted no more", async (t) => {
  await t.step("one", async () => {
    const { it, done } = desk();
    await rejects(it.put(trusted("root.example"), { replace: false }), {
      code: "resource-changed",
    });
    deepEqual(done, ["join root.example", "leave root.example", "reload"]);
  });
  await t.step("one that was trusted before stays", async () => {
    const { it, done } = desk();
    await rejects(it.put(trusted("known.example"), { replace: false }), {
      code: "resource-changed",
    });
    deepEqual(done, ["join known.example"]);
  });
  await t.step("the first of two, where the second refuses", async () => {
    const { it, done } = desk({
      joinRoot: ({ metadata: { name } }) =>
        name === "b.example" ? Promise.reject(new Error("no")) : Promise.resolve(true),
    });
    await rejects(it.apply({
      resources: [trusted("a.example"), trusted("b.example")],
      replace: false,
      check_only: false,
      also_named: [],
    }));
    deepEqual(done, ["leave a.example", "reload"]);
  });
});

Deno.test("a user who is created takes the name from a guest whom another server let in", async () => {
  const { it, done } = desk({
    store: {
      resources: { list: () => Promise.resolve([ROLE]), putAll: () => Promise.resolve([1]) },
      agents: { list: () => Promise.resolve([]) },
      sessions: { listLive: () => Promise.resolve([]) },
    } as unknown as ResourceDeskOptions["store"],
    endUser: (name) => Promise.resolve(void done.push(`end ${name}`)),
  });
  await it.put({
    kind: "user",
    version: "v1",
    metadata: { name: "ann" },
    spec: { roles: ["guest"] },
  }, { replace: false });
  deepEqual(done, ["reload", "end ann"]);
});

Deno.test("ResourceDesk.remove(): a user goes last, so that what failed can be repeated", async () => {
  const done: string[] = [];
  let failures = 1;
  const body = JSON.stringify({ kind: "user", version: "v1", metadata: { name: "a" }, spec: {} });
  const user = { kind: "user", name: "a", revision: 1, body };
  let isThere = true;
  const { it } = desk({
    store: {
      resources: {
        get: () => Promise.resolve(isThere ? user : null),
        remove: () => {
          isThere = false;
          return Promise.resolve(void done.push("user"));
        },
      },
      credentials: { remove: () => Promise.resolve(void done.push("credentials")) },
    },
    endUser: () => {
      if (failures-- > 0) return Promise.reject(new Error("away"));
      return Promise.resolve(void done.push("sessions"));
    },
  } as unknown as Partial<ResourceDeskOptions>);
  await rejects(it.remove("user", "a"), /away/);
  await it.remove("user", "a");
  deepEqual(done, ["credentials", "credentials", "sessions", "user"]);
});
