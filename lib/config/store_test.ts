import { deepEqual, equal, match } from "node:assert/strict";
import { parseServerFile } from "./service_file.ts";

const read = (store: unknown) =>
  parseServerFile(
    JSON.stringify({
      version: "v1",
      cluster_name: "c.example",
      data_dir: "/var/lib/vnet-server",
      proxy_service: { public_addr: "c.example", listen_addr: "0.0.0.0:443" },
      ...(store === undefined ? {} : { store }),
    }),
    "server.yaml",
  ).store.postgres;

const PARTS = { host: "db.company.test", database: "vnet", user: "auth" };

Deno.test("store of the server's file says where the database is, by parts or by a URL", async (t) => {
  const whole = { ...PARTS, port: 5432, passwordFile: null, caFile: null, tls: true };
  const cases: [name: string, postgres: unknown, want: unknown][] = [
    ["parts", PARTS, whole],
    ["a URL", { url: "postgres://auth@db.company.test/vnet" }, whole],
    ["a port", { url: "postgresql://auth@[2001:db8::1]:6432/v%20net" }, {
      ...whole,
      host: "2001:db8::1",
      port: 6432,
      database: "v net",
    }],
    ["files", { ...PARTS, password_file: "/etc/p", ca_file: "/etc/ca" }, {
      ...whole,
      passwordFile: "/etc/p",
      caFile: "/etc/ca",
    }],
    ["the loopback needs no TLS", { ...PARTS, host: "127.0.0.1" }, {
      ...whole,
      host: "127.0.0.1",
      tls: false,
    }],
    ["and may have it", { ...PARTS, host: "localhost", ca_file: "/etc/ca" }, {
      ...whole,
      host: "localhost",
      caFile: "/etc/ca",
    }],
    ["a name that begins like it", { ...PARTS, host: "127.0.0.1.example" }, {
      ...whole,
      host: "127.0.0.1.example",
    }],
    ["a Unix socket", { ...PARTS, host: "/run/postgresql", ca_file: "/etc/ca" }, {
      ...whole,
      host: "/run/postgresql",
      caFile: "/etc/ca",
      tls: false,
    }],
  ];
  for (const [name, postgres, want] of cases) {
    await t.step(name, () => deepEqual(read({ postgres }), want));
  }
  equal(read(undefined), null);
  equal(read({}), null);
});

Deno.test("store of the server's file has no password, and what it refuses repeats none", async (t) => {
  const cases: [name: string, postgres: unknown, want: RegExp][] = [
    [
      "a password",
      { ...PARTS, password: "hunter2" },
      /password: found a secret .*expected password_file/,
    ],
    [
      "a URL's",
      { url: "postgres://a:hunter2@h/d" },
      /found "postgres:\/\/a:…@h\/d" .*password_file/,
    ],
    [
      "a URL's with a slash",
      { url: "postgres://a:x/hunter2@h/d" },
      /found "postgres:\/\/a:…@h\/d"/,
    ],
    ["what would turn TLS off", { url: "postgres://a@h/d?sslmode=disable" }, /without \?/],
    ["both forms", { ...PARTS, url: "postgres://a@h/d" }, /either url, or host/],
    ["half", { host: "h", user: "a" }, /host, database and user, or url/],
    ["a port", { ...PARTS, port: 0 }, /a port, 1 to 65535/],
    ["a relative folder", { ...PARTS, host: "run/postgresql" }, /the folder of a Unix socket/],
    ["no user", { url: "postgres://h/d" }, /postgres:\/\/user@host/],
  ];
  for (const [name, postgres, want] of cases) {
    await t.step(name, () => {
      let message = "";
      try {
        read({ postgres });
      } catch (thrown) {
        message = String(thrown);
      }
      match(message, want);
      equal(/hunter2/.test(message), false, message);
    });
  }
});
