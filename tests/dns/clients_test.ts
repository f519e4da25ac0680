/**
 * Every resolver library we could find makes the same of the same names, on a machine whose only nameserver is ours.
 */
import { deepEqual, equal } from "node:assert/strict";
import { needing } from "../needs.ts";
import { run } from "./programs.ts";

const NEEDS = [
  ...["unshare", "ip", "getent", "cc"],
  "musl-gcc",
];

/** Each name and what every client must make of it. */
const WANT: Readonly<Record<string, string>> = {
  "db.corp.example": "100.64.0.7 fd12::6440:7",
  "v4.corp.example": "100.64.0.8",
  "DB.Corp.Example": "100.64.0.7 fd12::6440:7",
  "vnet-diag-00c0ffee.corp.example": "100.64.0.1",
  "www.example.org": "192.0.2.1",
  "nobody.secret.test": "none",
  "gone.corp.example": "none",
  "denied.corp.example": "none",
};

for (const backend of ["direct", "dnsmasq"]) {
  const needs = backend === "direct" ? NEEDS : [...NEEDS, "dnsmasq", "dig"];
  Deno.test(
    needing(needs, `every resolver library finds the same, ${backend}`, (t) => compare(t, backend)),
  );
}

async function compare(t: Deno.TestContext, backend: string): Promise<void> {
  if (Deno.uid() !== 0) throw new Error("this test makes namespaces: run it as root");
  const directory = await Deno.makeTempDir({ prefix: "vnet-dns-clients-" });
  try {
    await compile(directory);
    const world = new URL("./clients_world.ts", import.meta.url).pathname;
    const { code, stdout, stderr } = await run([
      ...["unshare", "--net", "--mount", "--propagation", "private", "--kill-child", "--fork"],
      ...[Deno.execPath(), "run", "-A", world, backend, directory, ...Object.keys(WANT)],
    ], { timeoutMs: 120_000 });
    equal(code, 0, stderr);
    const views: Record<string, Record<string, string>> = JSON.parse(stdout);
    equal(Object.keys(views).length >= 6, true);
    for (const [client, seen] of Object.entries(views)) {
      await t.step(client, () => {
        if (client === "chromium") equal(opensOne(seen), true, JSON.stringify(seen));
        else deepEqual(plain(seen), WANT);
      });
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** A browser opens a page at one of the addresses, or at none where there is none. */
function opensOne(seen: Readonly<Record<string, string>>): boolean {
  return Object.entries(WANT).every(([name, addresses]) =>
    addresses.split(" ").includes(seen[name] ?? "")
  );
}

/** "Ask again" and "no such name" are both nothing: libraries differ in which failure is which. */
function plain(seen: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(seen).map(([name, found]) => [name, found === "again" ? "none" : found]),
  );
}

/** The same program on both C libraries. */
async function compile(directory: string): Promise<void> {
  const source = new URL("./getaddrinfo.c", import.meta.url).pathname;
  await Deno.mkdir(`${directory}/bin`);
  for (const [name, compiler, ...flags] of [["glibc", "cc"], ["musl", "musl-gcc", "-static"]]) {
    const { code, stderr } = await run([
      ...[compiler ?? "", "-O2", "-Wall", "-Wextra", ...flags],
      ...["-o", `${directory}/bin/${name}`, source],
    ]);
    equal(code, 0, stderr);
  }
}
