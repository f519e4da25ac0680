import type { HostFacts } from "../../os/mod.ts";
import type { DoctorV1 } from "../../status/mod.ts";

/** Says what machine this is; for people who read somebody else's report. */
export async function describeHost(
  facts: Pick<HostFacts, "distribution" | "container">,
): Promise<DoctorV1["host"]> {
  const [distribution, container] = await Promise.all([facts.distribution(), facts.container()]);
  return {
    os: Deno.build.os,
    kernel: Deno.osRelease(),
    arch: Deno.build.arch,
    uid: Deno.uid() ?? 0,
    ...(distribution === null ? {} : { distribution }),
    ...(container === null ? {} : { container }),
  };
}
