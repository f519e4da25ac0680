import { deepEqual, equal, match } from "node:assert/strict";
import { zstdDecompressSync } from "node:zlib";
import { needing } from "../../tests/needs.ts";
import { makeArchive } from "./archive.ts";
import { buildDeb, type DebFacts } from "./deb.ts";
import { layOut } from "./payload.ts";

const TIME_MS = Date.UTC(2026, 0, 31);

/** A package like ours with a small program in it. */
function facts(): DebFacts {
  const files = layOut({
    executable: new TextEncoder().encode("#!/bin/sh\necho vnet\n"),
    completions: { bash: "# bash\n", zsh: "# zsh\n", fish: "# fish\n" },
    manuals: new Map([["vnet.1", ".TH VNET 1\n"]]),
    units: new Map([["vnet-server.service", "[Unit]\n"]]),
    documents: new Map([["LICENSE", "Apache\n"]]),
  });
  const maintainer = "A <a@example.invalid>";
  return { version: "0.1.0", architecture: "amd64", maintainer, files, timeMs: TIME_MS, level: 1 };
}

const FILES = [
  "bin/vnet",
  "lib/systemd/system/vnet-server.service",
  "share/bash-completion/completions/vnet",
  "share/doc/vnet/LICENSE",
  "share/fish/vendor_completions.d/vnet.fish",
  "share/man/man1/vnet.1",
  "share/zsh/vendor-completions/_vnet",
];

async function output(command: string, args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(command, { args }).output();
  equal(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "vnet-deb-test-" });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Every file below a folder but dpkg's own database, sorted. */
async function filesBelow(folder: string): Promise<string[]> {
  const listed = await output("find", [
    folder,
    "-path",
    "*/var/lib/dpkg",
    "-prune",
    "-o",
    "-type",
    "f",
    "-print",
  ]);
  return listed.split("\n").filter(Boolean).map((path) => path.slice(folder.length + 1)).sort();
}

Deno.test("makeArchive() is the same archive twice, owned by root below one folder", async () => {
  const first = await makeArchive("vnet-0.1.0", facts().files, TIME_MS);
  deepEqual(await makeArchive("vnet-0.1.0", facts().files, TIME_MS), first);
  await withFolder(async (folder) => {
    await Deno.writeFile(`${folder}/a.tar`, zstdDecompressSync(first));
    const listed = await output("tar", [
      "--list",
      "--verbose",
      "--numeric-owner",
      "-f",
      `${folder}/a.tar`,
    ]);
    match(listed, /^-rwxr-xr-x 0\/0 .* vnet-0\.1\.0\/bin\/vnet$/m);
    const names = listed.split("\n").filter((l) => l.startsWith("-")).map((l) =>
      l.split(" ").at(-1)
    );
    deepEqual(names, FILES.map((name) => `vnet-0.1.0/${name}`));
  });
});

Deno.test(
  needing(["dpkg-deb"], "buildDeb() is the same package twice", () =>
    withFolder(async (folder) => {
      const [first, second] = [`${folder}/1.deb`, `${folder}/2.deb`];
      await buildDeb(facts(), first);
      await buildDeb(facts(), second);
      deepEqual(await Deno.readFile(first), await Deno.readFile(second));
      const fields = ["Package", "Version", "Architecture"];
      const said = await output("dpkg-deb", ["--field", first, ...fields]);
      equal(said, "Package: vnet\nVersion: 0.1.0\nArchitecture: amd64\n");
    })),
);

Deno.test(
  needing(
    ["dpkg-deb", "root"],
    "the Debian package installs and purges without a trace",
    () =>
      withFolder(async (folder) => {
        const deb = `${folder}/vnet.deb`;
        await buildDeb(facts(), deb);
        const target = `${folder}/root`;
        await Deno.mkdir(`${target}/var/lib/dpkg/info`, { recursive: true });
        await Deno.mkdir(`${target}/var/lib/dpkg/updates`);
        await Deno.writeTextFile(`${target}/var/lib/dpkg/status`, "");
        await Deno.writeTextFile(`${target}/var/lib/dpkg/available`, "");
        const dpkg = [
          "--root",
          target,
          "--force-script-chrootless",
          "--force-depends",
          "--log=/dev/null",
        ];
        await output("dpkg", [...dpkg, "--install", deb]);
        deepEqual(
          await filesBelow(target),
          FILES.map((name) => `usr/${name}`),
        );
        equal((await Deno.stat(`${target}/usr/bin/vnet`)).mode! & 0o777, 0o755);
        await output("dpkg", [...dpkg, "--purge", "vnet"]);
        deepEqual(await filesBelow(target), []);
      }),
  ),
);
