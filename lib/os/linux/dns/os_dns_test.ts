import { deepEqual, equal, match, rejects } from "node:assert/strict";
import { lacking, withReason } from "../../../../tests/needs.ts";
import { OsError } from "../../../error.ts";
import { formatEndpoint, parseEndpoint } from "../../../ip/mod.ts";
import { type Change, OsDns, type OsDnsRequest, type Paths, previewOsDns } from "./mod.ts";
import { makeDirectory } from "../../../../tests/doubles/osdns/bus.ts";
import {
  BASE_TEXT,
  makeHost,
  type OriginalKind,
  ORIGINALS,
  picture,
} from "../../../../tests/doubles/osdns/host.ts";

const REQUEST: OsDnsRequest = {
  link: "vnet0",
  ifindex: 1,
  server: parseEndpoint("127.0.53.1:53"),
  zones: ["corp.example.com"],
  mode: "auto",
};

const OURS = "nameserver 127.0.53.1\nnameserver 10.99.0.53\nsearch corp.lan\noptions ndots:2\n";

/** Runs a test on a host of its own, and checks afterwards that the host is as it was. */
async function onHost(
  kind: OriginalKind,
  test: (dns: OsDns, paths: Paths, root: string) => Promise<void>,
): Promise<void> {
  await using directory = await makeDirectory();
  const paths = await makeHost(directory.path, kind);
  const before = await picture(`${directory.path}/etc`);
  {
    await using dns = await OsDns.open({ journalDir: `${directory.path}/journal`, paths });
    await test(dns, paths, directory.path);
  }
  equal(await picture(`${directory.path}/etc`), before);
}

/** The lines a resolver reads. */
async function effective(path: string): Promise<string> {
  return (await Deno.readTextFile(path)).replaceAll(/^#.*\n/gm, "");
}

Deno.test("OsDns.apply() takes resolv.conf over and revert() brings it back", async (t) => {
  for (const kind of ORIGINALS) {
    await t.step(kind, () =>
      onHost(kind, async (dns, paths) => {
        const hasText = kind !== "missing" && kind !== "dangling symlink";
        const plan = await dns.plan(REQUEST);
        const applied = await dns.apply(REQUEST);
        equal(applied.backend, "direct");
        deepEqual(applied.steps, plan);
        equal(await effective(paths.resolvConf), hasText ? OURS : "nameserver 127.0.53.1\n");
        equal((await Deno.lstat(paths.resolvConf)).isFile, true);
        deepEqual(
          applied.upstreams.map(formatEndpoint),
          [hasText ? "10.99.0.53:53" : "127.0.0.1:53"],
        );
        deepEqual(applied.search, hasText ? ["corp.lan"] : []);
        match(applied.warnings.join(), hasText ? /^$/ : /names no resolver/);
        deepEqual(await dns.apply({ ...REQUEST, zones: ["other.example.com"] }), applied);
        match((await dns.revert()).join(), /^restored /);
        deepEqual(await dns.revert(), []);
      }));
  }
});

Deno.test("OsDns.apply() keeps no other nameserver beside ours on musl", () =>
  onHost("file", async (dns, paths, root) => {
    await Deno.rename(`${root}/lib64/ld-linux-x86-64.so.2`, `${root}/lib64/ld-musl-x86_64.so.1`);
    const { why, upstreams } = await dns.apply(REQUEST);
    match(why.join(), /musl/);
    equal(
      await effective(paths.resolvConf),
      "nameserver 127.0.53.1\nsearch corp.lan\noptions ndots:2\n",
    );
    deepEqual(upstreams.map(formatEndpoint), ["10.99.0.53:53"]);
  }));

Deno.test("OsDns.detect() takes a host with both loaders for what its shell is", async (t) => {
  const cases: [name: string, shell: string | null, want: RegExp][] = [
    ["Alpine with glibc", "\x7fELF\0/lib/ld-musl-x86_64.so.1\0", /libc is musl/],
    ["Debian with musl", "\x7fELF\0/lib64/ld-linux-x86-64.so.2\0", /^((?!libc is).)*$/],
    ["no shell", null, /^((?!libc is).)*$/],
  ];
  for (const [name, shell, want] of cases) {
    await t.step(name, () =>
      onHost("file", async (dns, paths, root) => {
        await Deno.writeTextFile(`${root}/lib64/ld-musl-x86_64.so.1`, "");
        if (shell !== null) {
          await Deno.mkdir(`${root}/bin`);
          await Deno.writeTextFile(paths.shell, shell);
        }
        match((await dns.detect("auto")).why.join("; "), want);
      }));
  }
});

Deno.test("OsDns.plan() changes nothing", () =>
  onHost("file", async (dns, paths) => {
    const lines = await dns.plan(REQUEST);
    match(lines.join("\n"), /^write .*journal.*\nreplace .*: nameserver 127\.0\.53\.1\n/);
    equal(await Deno.readTextFile(paths.resolvConf), BASE_TEXT);
  }));

Deno.test("OsDns.apply() with mode none says which line to add, and touches nothing", () =>
  onHost("file", async (dns, paths) => {
    const { backend, warnings, upstreams } = await dns.apply({ ...REQUEST, mode: "none" });
    equal(backend, "none");
    match(warnings.join(), /first line of .*resolv\.conf: nameserver 127\.0\.53\.1/);
    deepEqual(upstreams.map(formatEndpoint), ["10.99.0.53:53"]);
    equal(await Deno.readTextFile(paths.resolvConf), BASE_TEXT);
  }));

Deno.test("OsDns.apply() with another mode undoes the first", () =>
  onHost("relative symlink", async (dns, paths) => {
    await dns.apply({ ...REQUEST, mode: "direct" });
    equal((await dns.detect("none")).backend, "none");
    await dns.apply({ ...REQUEST, mode: "none" });
    equal((await Deno.lstat(paths.resolvConf)).isSymlink, true);
    await dns.apply({ ...REQUEST, mode: "direct" });
    equal(await effective(paths.resolvConf), OURS);
  }));

Deno.test("OsDns.detect() describes the host beneath our own file", () =>
  onHost("dangling symlink", async (dns) => {
    await dns.apply({ ...REQUEST, mode: "direct" });
    match((await dns.detect("auto")).why.join(), /link to nothing usable/);
  }));

Deno.test("OsDns refuses what cannot work, and then has changed nothing", async (t) => {
  const refuses = (act: Promise<unknown>, code: string) =>
    rejects(act, (error: OsError) => {
      equal(error.code, code);
      equal(error.hint === null, false);
      return error instanceof OsError;
    });
  await t.step(
    "resolved without a bus",
    () =>
      onHost(
        "file",
        (dns) => refuses(dns.apply({ ...REQUEST, mode: "resolved" }), "resolved-missing"),
      ),
  );
  await t.step(
    "a port resolv.conf has no word for",
    () =>
      onHost("file", (dns) =>
        refuses(
          dns.apply({ ...REQUEST, server: parseEndpoint("127.0.0.1:5300") }),
          "dns-server-port",
        )),
  );
  await t.step({
    name: withReason("a resolv.conf not even root can write", lacking(["root"])),
    ignore: Deno.uid() !== 0,
    fn: () =>
      onHost("file", async (dns, paths) => {
        // Root may write anything that lies on a disk; this does not.
        const frozen = { ...paths, resolvConf: "/proc/version" };
        await using directory = await makeDirectory();
        await using other = await OsDns.open({ journalDir: directory.path, paths: frozen });
        await refuses(other.apply({ ...REQUEST, mode: "direct" }), "resolv-conf-read-only");
        const { backend, why } = await other.apply(REQUEST);
        equal(backend, "none");
        match(why.join(), /cannot be written/);
        await dns.revert();
      }),
  });
  await t.step(
    "a host another vnet has in its hands",
    () =>
      onHost("file", async (dns, paths, root) => {
        await dns.apply(REQUEST);
        await using other = await OsDns.open({ journalDir: `${root}/journal`, paths });
        match(other.repaired.join(), /running vnet/);
        await refuses(other.apply(REQUEST), "dns-in-use");
        equal(await effective(paths.resolvConf), OURS);
        await dns.revert();
        equal((await other.apply(REQUEST)).backend, "direct");
      }),
  );
  await t.step("a journal that cannot be kept", async () => {
    await refuses(OsDns.open({ journalDir: "/proc/vnet" }), "dns-journal-unwritable");
  });
});

/** Collects what a watch tells, and waits for it. */
class Listener {
  readonly heard: Change[] = [];
  #wake: () => void = () => {};

  readonly tell = (change: Change) => {
    this.heard.push(change);
    this.#wake();
  };

  /** Waits until something of a kind was heard that fits. */
  async until(fits: (change: Change) => boolean): Promise<Change> {
    for (;;) {
      const found = this.heard.findIndex(fits);
      if (found >= 0) return this.heard.splice(found, 1)[0] as Change;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }
}

/** Runs a test while the host is watched. */
async function watching(
  kind: OriginalKind,
  test: (listener: Listener, paths: Paths, root: string) => Promise<void>,
): Promise<void> {
  await using directory = await makeDirectory();
  const root = directory.path;
  const paths = await makeHost(root, kind);
  await using dns = await OsDns.open({ journalDir: `${root}/journal`, paths });
  await dns.apply(REQUEST);
  const listener = new Listener();
  const end = new AbortController();
  const watch = dns.watch(listener.tell, end.signal);
  await test(listener, paths, root);
  end.abort();
  await watch;
}

const FOREIGN = "nameserver 10.99.0.54\n";
const OURS_OVER_FOREIGN = "nameserver 127.0.53.1\nnameserver 10.99.0.54\n";

Deno.test("OsDns.watch() puts our file back over every kind of rewrite", async (t) => {
  const rewrites: [name: string, rewrite: (paths: Paths, root: string) => Promise<void>][] = [
    ["a rename over it", async (paths) => {
      await Deno.writeTextFile(`${paths.resolvConf}.new`, FOREIGN);
      await Deno.rename(`${paths.resolvConf}.new`, paths.resolvConf);
    }],
    ["a write into it", (paths) => Deno.writeTextFile(paths.resolvConf, FOREIGN)],
    ["a symlink in its place", async (paths, root) => {
      await Deno.writeTextFile(`${root}/run/other/foreign`, FOREIGN);
      await Deno.symlink("../run/other/foreign", `${paths.resolvConf}.new`);
      await Deno.rename(`${paths.resolvConf}.new`, paths.resolvConf);
    }],
  ];
  for (const [name, rewrite] of rewrites) {
    await t.step(name, () =>
      watching("file", async (listener, paths, root) => {
        await rewrite(paths, root);
        await listener.until((change) => change.kind === "reapplied");
        const change = await listener.until((change) => change.kind === "upstreams");
        equal(change.kind, "upstreams");
        if (change.kind !== "upstreams") return;
        deepEqual(change.upstreams.map(formatEndpoint), ["10.99.0.54:53"]);
        equal(await effective(paths.resolvConf), OURS_OVER_FOREIGN);
      }));
  }
  await t.step("its removal", () =>
    watching("file", async (listener, paths) => {
      await Deno.remove(paths.resolvConf);
      await listener.until((change) => change.kind === "reapplied");
      equal(await effective(paths.resolvConf), "nameserver 127.0.53.1\n");
    }));
});

Deno.test("OsDns.revert() leaves what was foreign last, after a fight", async () => {
  await using directory = await makeDirectory();
  const root = directory.path;
  const paths = await makeHost(root, "file");
  await using dns = await OsDns.open({ journalDir: `${root}/journal`, paths });
  await dns.apply(REQUEST);
  const listener = new Listener();
  const watch = dns.watch(listener.tell, new AbortController().signal);
  await Deno.writeTextFile(paths.resolvConf, FOREIGN);
  await listener.until((change) => change.kind === "reapplied");
  await dns.revert();
  await watch;
  equal(await Deno.readTextFile(paths.resolvConf), FOREIGN);
});

Deno.test("OsDns.watch() follows the file a link led to", () =>
  watching("relative symlink", async (listener, paths, root) => {
    await Deno.writeTextFile(`${root}/run/other/new`, FOREIGN);
    await Deno.rename(`${root}/run/other/new`, `${root}/run/other/resolv.conf`);
    const change = await listener.until((change) => change.kind === "upstreams");
    if (change.kind === "upstreams") {
      deepEqual(change.upstreams.map(formatEndpoint), ["10.99.0.54:53"]);
    }
    equal(await effective(paths.resolvConf), OURS_OVER_FOREIGN);
  }));

Deno.test("OsDns.watch() follows a link to nowhere until there is something", () =>
  watching("dangling symlink", async (listener, _paths, root) => {
    await Deno.mkdir(`${root}/run/nowhere`);
    await Deno.writeTextFile(`${root}/run/nowhere/resolv.conf`, FOREIGN);
    const change = await listener.until((change) =>
      change.kind === "upstreams" && change.upstreams.length === 1 &&
      change.upstreams.map(formatEndpoint).join() === "10.99.0.54:53"
    );
    equal(change.kind, "upstreams");
  }));

Deno.test("OsDns.watch() gives a fight up, says so once, and leaves the file to the other", () =>
  watching("file", async (listener, paths) => {
    for (let round = 0;; round++) {
      equal(round < 40, true, "the fight has no end");
      await Deno.writeTextFile(paths.resolvConf, `nameserver 10.99.1.${round}\n`);
      const change = await listener.until((change) => change.kind !== "upstreams");
      if (change.kind === "warning") {
        match(change.message, /keeps undoing.*next try in 30 s/);
        equal(round, 10);
        break;
      }
    }
    equal(await Deno.readTextFile(paths.resolvConf), "nameserver 10.99.1.10\n");
  }));

Deno.test("OsDns.watch() goes on with what a change of mode brings", async () => {
  await using directory = await makeDirectory();
  const root = directory.path;
  const paths = await makeHost(root, "file");
  await using dns = await OsDns.open({ journalDir: `${root}/journal`, paths });
  await dns.apply({ ...REQUEST, mode: "none" });
  const listener = new Listener();
  const watch = dns.watch(listener.tell, new AbortController().signal);
  await dns.apply({ ...REQUEST, mode: "direct" });
  await Deno.writeTextFile(paths.resolvConf, FOREIGN);
  await listener.until((change) => change.kind === "reapplied");
  equal(await effective(paths.resolvConf), OURS_OVER_FOREIGN);
  await dns.revert();
  await watch;
});

Deno.test("previewOsDns() says what apply() would do, and makes nothing", async () => {
  await using directory = await makeDirectory();
  const root = directory.path;
  const paths = await makeHost(root, "relative symlink");
  const before = await picture(root);
  const options = { journalDir: `${root}/journal`, paths };
  const { choice, steps } = await previewOsDns("auto", () => REQUEST, options);
  equal(choice.backend, "direct");
  equal(await picture(root), before);
  await using dns = await OsDns.open(options);
  deepEqual((await dns.apply(REQUEST)).steps, steps);
  // And while it is in force, the same again.
  deepEqual((await previewOsDns("auto", () => REQUEST, options)).choice, choice);
});
