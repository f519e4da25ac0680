import { equal } from "node:assert/strict";
import { renderPaste } from "./paste.ts";

Deno.test("renderPaste() goes by the labels, then by the port", async (t) => {
  const cases: [ports: string[] | undefined, labels: Record<string, string>, want: string][] = [
    [["5432"], {}, "psql -h db.test -p 5432"],
    [["6432"], { engine: "PostgreSQL" }, "psql -h db.test -p 6432"],
    [undefined, { protocol: "redis" }, "redis-cli -h db.test -p 6379"],
    [undefined, { env: "dev" }, "db.test:PORT"],
    [["80", "8000-8081"], {}, "http://db.test/"],
    [["8080"], {}, "http://db.test:8080/"],
    [["443"], {}, "https://db.test/"],
    [["22"], {}, "ssh db.test"],
    [["2222"], {}, "ssh -p 2222 db.test"],
    [["7001"], { type: "constructor" }, "nc db.test 7001"],
    [["7001"], {}, "nc db.test 7001"],
  ];
  for (const [ports, labels, want] of cases) {
    const app = { labels, ...(ports === undefined ? {} : { ports }) };
    await t.step(want, () => equal(renderPaste("db.test", app), want));
  }
});
