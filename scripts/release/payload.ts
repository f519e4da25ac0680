/**
 * What an installation consists of, as files below a prefix: /usr in a Debian package, wherever the user likes
 * from the archive.
 *
 * @module
 */
import { dirname } from "node:path";

/** One file of an installation. */
export interface PayloadFile {
  /** Path below the prefix. */
  readonly path: string;
  readonly content: Uint8Array | string;
  readonly mode: 0o644 | 0o755;
}

/** Everything that is installed. */
export interface PayloadParts {
  readonly executable: Uint8Array;
  readonly completions: Readonly<Record<"bash" | "zsh" | "fish", string>>;
  /** Manual pages by file name. */
  readonly manuals: ReadonlyMap<string, string>;
  /** systemd units by file name. */
  readonly units: ReadonlyMap<string, string>;
  /** More text files by their whole path: the client's units, and what goes with them. */
  readonly others?: ReadonlyMap<string, string>;
  /** Documents by file name: licence, notices, bill of materials, changelog. */
  readonly documents: ReadonlyMap<string, string>;
}

/** Says which file goes where, sorted by path. */
export function layOut(parts: PayloadParts): PayloadFile[] {
  const text = (path: string, content: string): PayloadFile => ({ path, content, mode: 0o644 });
  return [
    { path: "bin/vnet", content: parts.executable, mode: 0o755 } as const,
    text("share/bash-completion/completions/vnet", parts.completions.bash),
    text("share/zsh/vendor-completions/_vnet", parts.completions.zsh),
    text("share/fish/vendor_completions.d/vnet.fish", parts.completions.fish),
    ...[...parts.manuals].map(([name, page]) => text(`share/man/man${name.at(-1)}/${name}`, page)),
    ...[...parts.units].map(([name, unit]) => text(`lib/systemd/system/${name}`, unit)),
    ...[...parts.others ?? []].map(([path, content]) => text(path, content)),
    ...[...parts.documents].map(([name, document]) => text(`share/doc/vnet/${name}`, document)),
  ].sort((a, b) => a.path < b.path ? -1 : 1);
}

/** Writes files below a folder, all with the same time, so that archives of it do not differ. */
export async function writePayload(
  folder: string,
  files: readonly PayloadFile[],
  timeMs: number,
): Promise<void> {
  const folders = new Set([folder]);
  for (const file of files) {
    const path = `${folder}/${file.path}`;
    await Deno.mkdir(dirname(path), { recursive: true, mode: 0o755 });
    const content = typeof file.content === "string"
      ? new TextEncoder().encode(file.content)
      : file.content;
    await Deno.writeFile(path, content);
    // The umask has no say in what others install.
    await Deno.chmod(path, file.mode);
    await Deno.utime(path, timeMs / 1000, timeMs / 1000);
    for (let up = dirname(path); up.length > folder.length; up = dirname(up)) folders.add(up);
  }
  for (const path of [...folders].sort().reverse()) {
    await Deno.chmod(path, 0o755);
    await Deno.utime(path, timeMs / 1000, timeMs / 1000);
  }
}
