import { type AppConfig, MAX_AGENT_APPS } from "../../config/mod.ts";
import { VnetError } from "../../error.ts";
import { VERSION } from "../../version.ts";
import {
  type AgentApp,
  AgentAppSchema,
  type AgentMessage,
  HELLO_MAX_PARTS,
  LEAF_APPS_MAX_BYTES,
  LEAF_FACTS_MAX_BYTES,
  type LeafFacts,
} from "../../wire/mod.ts";

/** Apps of one message, and about its length: below what a message may be. */
const APPS_EACH = 1000;
const PART_BYTES = 512 * 1024;

/**
 * What an agent says first: its apps, in as many messages as they take.
 *
 * @throws {VnetError} `apps-too-many` when they take more than a proxy listens to.
 */
export function helloOf(apps: readonly AppConfig[]): readonly AgentMessage[] {
  return inParts(apps.map(toAgentApp));
}

/** What a leaf says, and what does not fit in. */
interface LeafHello {
  readonly messages: readonly AgentMessage[];
  readonly leftOut: number;
}

/**
 * The same of a cluster that is a leaf: of its apps as many as a root takes, in their order.
 *
 * @throws {VnetError} `apps-too-many` when what the leaf says of itself is too long.
 */
export function leafHelloOf(facts: LeafFacts, apps: readonly AgentApp[]): LeafHello {
  const size = sizeOf(facts);
  if (size > LEAF_FACTS_MAX_BYTES) {
    throw tooLong(`its zones, and the roles that its role_map names, take ${size} bytes`);
  }
  let bytes = 0;
  const fitting = apps.filter((app) => AgentAppSchema.safeParse(app).success)
    .slice(0, MAX_AGENT_APPS).filter((app) => {
      bytes += sizeOf(app);
      return bytes <= LEAF_APPS_MAX_BYTES;
    });
  return {
    messages: inParts(fitting, { leaf: facts }),
    leftOut: apps.length - fitting.length,
  };
}

function inParts(
  apps: readonly AgentApp[],
  more: { readonly leaf?: LeafFacts } = {},
): readonly AgentMessage[] {
  const parts: AgentApp[][] = [[]];
  let bytes = 0;
  for (const app of apps) {
    const size = sizeOf(app);
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
    { type: "hello", version: VERSION, apps: parts.at(-1)!, ...more },
  ];
}

function sizeOf(value: unknown): number {
  return new TextEncoder().encode(JSON.stringify(value)).length;
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
