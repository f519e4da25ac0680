import { equal, match } from "node:assert/strict";
import type { ConnectionsV1 } from "../../status/mod.ts";
import { formatBytes, renderConnections } from "./connections_text.ts";

const OPTIONS = { nowMs: Date.parse("2026-01-31T15:53:00Z"), timeZone: "UTC" };
const SUM = { active: 1, opened_total: 4, failed_total: 1, cancelled_total: 0 };
const DB = { cluster: "c.test", app: "db" };

const CONNECTIONS: ConnectionsV1 = {
  schema: "vnet.connections/1",
  apps: [
    { ...DB, ...SUM, sent_bytes: 1536, received_bytes: 5_000_000_000 },
    { ...DB, app: "web", port: 8080, ...SUM, active: 0, sent_bytes: 0, received_bytes: 12 },
  ],
  connections: [{
    ...{ ...DB, id: 3, name: "db.c.test", port: 5432, way: "device", state: "open" },
    ...{ started: "2026-01-31T15:51:00.000Z", sent_bytes: 1536, received_bytes: 5_000_000_000 },
    ...{ uid: 1000, pid: 4711, program: "/usr/lib/postgresql/15/bin/psql" },
  }, {
    ...{ ...DB, id: 2, name: "db.c.test", port: 5432, way: "device", state: "waiting" },
    ...{ waits_for: "second-factor", started: "2026-01-31T15:50:00.000Z" },
    ...{ sent_bytes: 0, received_bytes: 0, uid: 0 },
  }, {
    ...{ ...DB, app: "web", id: 1, name: "web.c.test", port: 8080, way: "local-port" },
    ...{ state: "failed", started: "2026-01-31T15:49:00.000Z", duration_ms: 2_000 },
    ...{ sent_bytes: 0, received_bytes: 0, program: "evil\x1b[2J\nname" },
    error: { code: "target-refused", message: "Cannot connect: the app \x1b]0;x\x07 refused" },
  }],
};

Deno.test("renderConnections() sums up apps, lists the latest, and obeys nobody's letters", () => {
  equal(
    renderConnections(CONNECTIONS, OPTIONS),
    `APP       OPEN  SO FAR  FAILED  SENT     RECEIVED
db        1     4       1       1.5 KiB  4.7 GiB
web:8080  0     4       1       0 B      12 B

APP       STATE                         SINCE              LASTED  SENT     RECEIVED  PROGRAM              WHY
db:5432   open                          2 min ago (15:51)  -       1.5 KiB  4.7 GiB   psql (4711)
db:5432   waits for your second factor  3 min ago (15:50)  -       0 B      0 B       user 0
web:8080  failed                        4 min ago (15:49)  2 s     0 B      0 B       evil\\x1b[2J\\x0aname  Cannot connect: the app \\x1b]0;x\\x07 refused [target-refused]
`,
  );
});

Deno.test("renderConnections() shows a screenful, clusters where there are several, and nothing as nothing", () => {
  const [first] = CONNECTIONS.connections;
  const many = { ...CONNECTIONS, connections: Array(60).fill(first) };
  match(renderConnections(many, OPTIONS), /\nand 10 connections before: --format json has all\n$/);
  const others = CONNECTIONS.apps.map((sum) => ({ ...sum, cluster: `${sum.app}.test` }));
  match(renderConnections({ ...CONNECTIONS, apps: others }, OPTIONS), /^APP +CLUSTER +OPEN/);
  match(renderConnections({ ...CONNECTIONS, apps: [], connections: [] }, OPTIONS), /^No program/);
});

Deno.test("formatBytes() says bytes as people do", async (t) => {
  const cases: [bytes: number, want: string][] = [
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1.0 KiB"],
    [10_240, "10 KiB"],
    [1_048_576, "1.0 MiB"],
    [2 ** 50, "1024 TiB"],
  ];
  for (const [bytes, want] of cases) await t.step(want, () => equal(formatBytes(bytes), want));
});
