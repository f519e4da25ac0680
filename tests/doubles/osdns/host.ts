/**
 * A host in a directory: the files the back ends look at, in every shape they come in.
 *
 * @module
 */
import { type Paths, pathsBelow } from "../../../lib/os/linux/dns/find/paths.ts";

/** What may lie at /etc/resolv.conf. */
export const ORIGINALS = [
  "file",
  "relative symlink",
  "absolute symlink",
  "missing",
  "bind mount",
  "dangling symlink",
] as const;
export type OriginalKind = typeof ORIGINALS[number];

export const BASE_TEXT =
  "# someone's own\nnameserver 10.99.0.53\noptions ndots:2 rotate\nsearch corp.lan\n";

/** The host below `root`, its mountinfo included. */
export function hostPaths(root: string): Paths {
  return { ...pathsBelow(root), mountinfo: `${root}/mountinfo` };
}

/** Makes the directories and files of a glibc host with one kind of resolv.conf. */
export async function makeHost(root: string, kind: OriginalKind): Promise<Paths> {
  const paths = hostPaths(root);
  for (const directory of ["etc", "run/other", "lib64", "usr/sbin"]) {
    await Deno.mkdir(`${root}/${directory}`, { recursive: true });
  }
  await Deno.writeTextFile(`${root}/lib64/ld-linux-x86-64.so.2`, "");
  await Deno.writeTextFile(paths.nsswitch, "hosts: files dns\n");
  await Deno.writeTextFile(paths.mountinfo, "22 1 0:21 / / rw,relatime - overlay overlay rw\n");
  await makeOriginal(paths, root, kind);
  return paths;
}

async function makeOriginal(paths: Paths, root: string, kind: OriginalKind): Promise<void> {
  const target = `${root}/run/other/resolv.conf`;
  switch (kind) {
    case "file":
    case "bind mount":
      await Deno.writeTextFile(paths.resolvConf, BASE_TEXT);
      await Deno.chmod(paths.resolvConf, 0o640);
      if (Deno.uid() === 0) await Deno.chown(paths.resolvConf, 7, 9);
      if (kind === "bind mount") {
        const line = `30 22 0:21 /x ${paths.resolvConf} rw - ext4 /dev/vda1 rw\n`;
        await Deno.writeTextFile(paths.mountinfo, line, { append: true });
      }
      return;
    case "relative symlink":
      await Deno.writeTextFile(target, BASE_TEXT);
      return await Deno.symlink("../run/other/resolv.conf", paths.resolvConf);
    case "absolute symlink":
      await Deno.writeTextFile(target, BASE_TEXT);
      return await Deno.symlink(target, paths.resolvConf);
    case "dangling symlink":
      return await Deno.symlink("../run/nowhere/resolv.conf", paths.resolvConf);
    case "missing":
      return;
    default:
      kind satisfies never;
  }
}

/** Everything below a directory as text, byte for byte: kind, mode, owner, link target, content. */
export async function picture(directory: string): Promise<string> {
  const lines: string[] = [];
  const visit = async (path: string) => {
    for (const entry of [...Deno.readDirSync(path)].sort((a, b) => a.name < b.name ? -1 : 1)) {
      const full = `${path}/${entry.name}`;
      const stat = await Deno.lstat(full);
      const head = `${full.slice(directory.length)} ${
        stat.mode?.toString(8)
      } ${stat.uid}:${stat.gid}`;
      if (entry.isDirectory) {
        lines.push(head);
        await visit(full);
      } else if (entry.isSymlink) {
        lines.push(`${head} -> ${await Deno.readLink(full)}`);
      } else {
        lines.push(`${head} ${(await Deno.readFile(full)).toHex()}`);
      }
    }
  };
  await visit(directory);
  return lines.join("\n");
}
