import { deepEqual, equal, throws } from "node:assert/strict";
import { VnetError } from "../error.ts";
import { findOwner, type Owner, resolvePaths } from "./paths.ts";

const PASSWD = `root:x:0:0:root:/root:/bin/bash
alice:x:1000:1001:Alice,,,:/home/alice:/bin/zsh
broken line
`;
const ALICE: Owner = { uid: 1000, gid: 1001, name: "alice", homeDir: "/home/alice" };

function environment(variables: Record<string, string>): (name: string) => string | undefined {
  return (name) => variables[name];
}

Deno.test("findOwner() finds the account vnet acts for", async (t) => {
  const cases: [name: string, uid: number, env: Record<string, string>, want: Owner][] = [
    ["the user itself", 1000, {}, ALICE],
    ["the invoker of sudo", 0, { SUDO_UID: "1000", SUDO_GID: "1001" }, ALICE],
    ["root itself", 0, {}, { uid: 0, gid: 0, name: "root", homeDir: "/root" }],
    ["a user may not claim to be another", 1000, { SUDO_UID: "0" }, ALICE],
    [
      "an account that is in no file",
      4242,
      { USER: "guest", HOME: "/tmp/guest" },
      { uid: 4242, gid: 7, name: "guest", homeDir: "/tmp/guest" },
    ],
  ];
  for (const [name, uid, env, want] of cases) {
    await t.step(name, () => deepEqual(findOwner(uid, 7, environment(env), PASSWD), want));
  }
});

Deno.test("findOwner() throws when sudo left nonsense", () => {
  for (const uid of ["alice", "-1", "99999"]) {
    throws(
      () => findOwner(0, 0, environment({ SUDO_UID: uid }), PASSWD),
      (thrown) => thrown instanceof VnetError && thrown.code === "owner-unknown",
    );
  }
});

Deno.test("resolvePaths() keeps to XDG, to --home, and to the owner's own things under sudo", async (t) => {
  const xdg = {
    XDG_CONFIG_HOME: "/x/config",
    XDG_STATE_HOME: "/x/state",
    XDG_RUNTIME_DIR: "/x/run",
  };
  const cases: [
    name: string,
    home: string | undefined,
    env: Record<string, string>,
    own: boolean,
    logind: boolean,
    want: [config: string, state: string, runtime: string],
  ][] = [
    ["--home", "/h", xdg, true, true, ["/h/config", "/h/state", "/h/run"]],
    ["--home has one form", "/run/../h//x/", xdg, true, true, [
      "/h/x/config",
      "/h/x/state",
      "/h/x/run",
    ]],
    ["XDG", undefined, xdg, true, true, ["/x/config/vnet", "/x/state/vnet", "/x/run/vnet"]],
    [
      "under sudo root's XDG does not count",
      undefined,
      xdg,
      false,
      true,
      ["/home/alice/.config/vnet", "/home/alice/.local/state/vnet", "/run/user/1000/vnet"],
    ],
    [
      "without logind",
      undefined,
      {},
      true,
      false,
      ["/home/alice/.config/vnet", "/home/alice/.local/state/vnet", "/run/vnet/1000"],
    ],
  ];
  for (const [name, home, env, ownEnvironment, logind, want] of cases) {
    await t.step(name, () => {
      const paths = resolvePaths({
        home,
        owner: ALICE,
        env: environment(env),
        ownEnvironment,
        isDirectory: (path) => logind && path.startsWith("/run/user/"),
      });
      deepEqual([paths.configDir, paths.stateDir, paths.runtimeDir], want);
    });
  }
});

Deno.test("resolvePaths() finds the daemon that the service manager runs, but not for a home of its own", () => {
  const found = (home: string | undefined) =>
    resolvePaths({
      home,
      owner: ALICE,
      env: environment({ XDG_RUNTIME_DIR: "/x/run" }),
      ownEnvironment: true,
      isDirectory: (path) => path === "/run/vnet-daemon/alice",
    }).controlSocket;
  equal(found(undefined), "/run/vnet-daemon/alice/control.sock");
  equal(found("/h"), "/h/run/control.sock");
});
