import { deepEqual } from "node:assert/strict";
import { needing } from "../../../tests/needs.ts";
import { resolvePaths } from "../../client/paths.ts";
import type { Context } from "../context.ts";
import { prepareFolders } from "./places.ts";

const ALICE = { uid: 4242, gid: 4242, name: "alice", homeDir: "/home/alice" };

const HOMES: readonly [home: string | undefined, given: string[]][] = [
  [undefined, ["/run/vnet/4242"]],
  ["/home/alice/vnet", []],
  ["/run/vnet/4242/../../../home/alice/vnet", []],
  ["/run/vnet/../../home/alice/link", []],
  ["/run/vnet/1001", []],
];

Deno.test(
  needing(
    ["root"],
    "prepareFolders() gives away the owner's own folder, whatever --home says",
    async (t) => {
      for (const [home, given] of HOMES) {
        await t.step(home ?? "no --home", async () => {
          const made: string[] = [];
          const folders = {
            own: () => Deno.cwd(),
            makeFor: (path: string) => void made.push(path),
          };
          const paths = resolvePaths({
            home,
            owner: ALICE,
            env: () => undefined,
            ownEnvironment: false,
            isDirectory: () => false,
          });
          const machine = () => Promise.resolve({ root: { folders } });
          const context = { owner: ALICE, paths, globals: { home }, env: () => undefined, machine };
          await prepareFolders(context as unknown as Context, true);
          deepEqual(made, given);
        });
      }
    },
  ),
);
