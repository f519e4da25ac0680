import type { AppConfig } from "../../config/mod.ts";
import { VnetError } from "../../error.ts";
import { VERSION } from "../../version.ts";
import { type AgentApp, type AgentMessage, HELLO_MAX_PARTS } from "../../wire/mod.ts";

/** Apps of one message, and about its length: below what a message may be. */
const APPS_EACH = 1000;
const PART_BYTES = 512 * 1024;

/**
 * What an agent says first: its apps, in as many messages as they take.
 *
 * @throws {VnetError} `apps-too-many` when they take more than a proxy listens to.
 */
export function helloOf(apps: readonly AppConfig[]): readonly AgentMessage[] {
  const parts: AgentApp[][] = [[]];
  let bytes = 0;
  for (const app of apps.map(toAgentApp)) {
    const size = new TextEncoder().encode(JSON.stringify(app)).length;
    if (size > PART_BYTES) throw tooLong(`the app "${app.name}" alone takes ${size} bytes`);
    const part = parts.at(-1)!;
    if (part.length < APPS_EACH && bytes + size <= PART_BYTES) {
      part.push(app);
      bytes += size;
      continue;
    }
    parts.push([app]);
    bytes = size;
  }
  if (parts.length > HELLO_MAX_PARTS) {
    throw tooLong(`${apps.length} apps with these labels and names take ${parts.length} messages`);
  }
  return [
    ...parts.slice(0, -1).map((apps) => ({ type: "apps" as const, apps })),
    { type: "hello", version: VERSION, apps: parts.at(-1)! },
  ];
}

function tooLong(state: string): Error {
  return new VnetError("apps-too-many", `Cannot tell the cluster of the apps: ${state}`, {
    hint: "Serve some of the apps with another agent, or shorten their labels and descriptions",
  });
}

/** What an agent tells the cluster of an app; the target stays with the agent. */
function toAgentApp(app: AppConfig): AgentApp {
  return {
    name: app.name,
    public_addrs: [...app.publicAddrs],
    labels: { ...app.labels },
    ...(app.description === null ? {} : { description: app.description }),
    ...(app.tcpPorts === null ? {} : {
      tcp_ports: app.tcpPorts.map(({ first, last }) =>
        first === last ? { port: first } : { port: first, end_port: last }
      ),
    }),
  };
}
