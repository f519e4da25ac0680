import type { DoctorV1 } from "../../status/mod.ts";

/** Says what machine this is; for people who read somebody else's report. */
export async function describeHost(): Promise<DoctorV1["host"]> {
  const release = await Deno.readTextFile("/etc/os-release").catch(() => "");
  const [, distribution] = /^PRETTY_NAME="?([^"\n]+)"?$/m.exec(release) ?? [];
  const container = await findContainer();
  return {
    os: Deno.build.os,
    kernel: Deno.osRelease(),
    arch: Deno.build.arch,
    uid: Deno.uid() ?? 0,
    ...(distribution === undefined ? {} : { distribution }),
    ...(container === null ? {} : { container }),
  };
}

/** @returns What kind of container or virtual Linux this is, as far as it shows. */
async function findContainer(): Promise<string | null> {
  const signs: readonly (readonly [path: string, kind: string])[] = [
    ["/.dockerenv", "docker"],
    ["/run/.containerenv", "podman"],
    ["/proc/sys/fs/binfmt_misc/WSLInterop", "wsl"],
  ];
  for (const [path, kind] of signs) {
    if (await Deno.lstat(path).then(() => true, () => false)) return kind;
  }
  return null;
}
