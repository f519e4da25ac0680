import { deepEqual } from "node:assert/strict";
import type { StoreTopic } from "../store/mod.ts";
import { Changes } from "./changes.ts";
import { followOthers } from "./others.ts";

Deno.test("followOthers() takes over what could not be read, once it can", async () => {
  const done: string[] = [];
  const finished = Promise.withResolvers<void>();
  let failures = 2;
  let tell: (topics: ReadonlySet<StoreTopic>) => void = () => {};
  const parts = {
    store: { watch: (told: typeof tell) => tell = told },
    directory: {
      reload: () => {
        done.push("reload");
        return failures-- > 0 ? Promise.reject(new Error("away")) : Promise.resolve();
      },
    },
    changes: new Changes(),
    events: new Changes(),
  } as unknown as Parameters<typeof followOthers>[0];
  followOthers(parts, () => {
    done.push("review");
    finished.resolve();
  }, () => Promise.resolve(void done.push("pause")));
  tell(new Set(["resources"]));
  await finished.promise;
  deepEqual(done, ["reload", "pause", "reload", "pause", "reload", "review"]);
});
