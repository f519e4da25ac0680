/**
 * A host whose programs are built with musl, as on Alpine, with a glibc beside for a few of them. musl asks every
 * nameserver at once and takes the first answer: beside ours there must be none.
 *
 * @module
 */
import { deepEqual, equal, match } from "node:assert/strict";
import { formatEndpoint, parseEndpoint } from "../../../lib/ip/mod.ts";
import { OsDns, type OsDnsRequest, pathsBelow } from "../../../lib/os/linux/dns/mod.ts";
import { check, picture, run, startProvider, startServer } from "./host.ts";

const ROOT = "/srv/alpine";
const APP = "app.corp.example.com";
const REQUEST: OsDnsRequest = {
  link: "vnet0",
  ifindex: 1,
  server: parseEndpoint("127.0.53.1:53"),
  zones: ["corp.example.com"],
  mode: "auto",
};

await startProvider();
await startServer("127.0.53.1", 53);
await makeRoot();
const paths = pathsBelow(ROOT);
const before = await picture(`${ROOT}/etc`);

await check("its programs resolve, and the zone leads to the provider", async () => {
  equal(await resolve("dynamic", APP), "203.0.113.99 100");
});

await check("up, a name is right every time, and down leaves the file as it was", async () => {
  await using dns = await OsDns.open({ journalDir: `${ROOT}/journal`, paths });
  const { backend, why, upstreams, warnings } = await dns.apply(REQUEST);
  equal(backend, "direct");
  match(why.join("; "), /libc is musl: no other nameserver beside ours/);
  deepEqual(warnings, []);
  deepEqual(upstreams.map(formatEndpoint), ["10.99.0.53:53", "10.99.0.54:53"]);
  for (const build of ["static", "dynamic"] as const) {
    equal(await resolve(build, APP), "100.64.0.10 100");
    equal(await resolve(build, "www.public.test"), "198.51.100.53 100");
  }
});

await check("nothing is left", async () => {
  equal(await picture(`${ROOT}/etc`), before);
  equal(await resolve("static", APP), "203.0.113.99 100");
});

Deno.exit(0);

/** What a program of that root finds in a hundred lookups: each answer with its count. */
async function resolve(build: "static" | "dynamic", name: string): Promise<string> {
  return (await run("chroot", ROOT, `/bin/resolve-${build}`, name, "100")).text.trim();
}

async function makeRoot(): Promise<void> {
  const source = new URL("../tools/resolve.c", import.meta.url).pathname;
  const { status, text } = await run(
    "sh",
    "-euc",
    `mkdir -p "$0/bin" "$0/lib" "$0/lib64" "$0/etc"
     musl-gcc -O1 -static -o "$0/bin/resolve-static" "$1"
     musl-gcc -O1 -o "$0/bin/resolve-dynamic" "$1"
     cp "$0/bin/resolve-dynamic" "$0/bin/sh"
     cp -L /lib/ld-musl-*.so.1 "$0/lib/"
     cp -L /lib64/ld-linux-* "$0/lib64/"
     printf 'nameserver 10.99.0.53\\nnameserver 10.99.0.54\\n' >"$0/etc/resolv.conf"`,
    ROOT,
    source,
  );
  equal(status, 0, text);
}
