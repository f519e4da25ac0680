import type { Refusal } from "./refusal.ts";
import { ACCESS } from "./rows/access.ts";
import { AGENTS } from "./rows/agents.ts";
import { CLUSTER_API } from "./rows/cluster_api.ts";
import { COMMAND_LINE } from "./rows/command_line.ts";
import { CREDENTIALS } from "./rows/credentials.ts";
import { DNS } from "./rows/dns.ts";
import { INTERNAL } from "./rows/internal.ts";
import { LINK } from "./rows/link.ts";
import { LOGIN } from "./rows/login.ts";
import { OIDC } from "./rows/oidc.ts";
import { PROCESS } from "./rows/process.ts";
import { RANGE } from "./rows/range.ts";
import { SERVICE } from "./rows/service.ts";
import { WAY } from "./rows/way.ts";
import { ZONE } from "./rows/zone.ts";

/** The sections of docs/errors.md in their order, by title, each with its codes. */
export const SECTIONS = {
  "Command line and files": COMMAND_LINE,
  "Login and cluster": { ...LOGIN, ...OIDC, ...CREDENTIALS, ...AGENTS, ...CLUSTER_API },
  "Connections": { ...ACCESS, ...WAY },
  "The machine": { ...PROCESS, ...LINK, ...RANGE },
  "The service": SERVICE,
  "DNS settings": { ...DNS, ...ZONE },
  "Internal": INTERNAL,
} as const satisfies Record<string, Readonly<Record<string, Refusal>>>;

export type Section = keyof typeof SECTIONS;

/** Code → what it means. Codes are stable. */
export const REFUSALS = {
  ...SECTIONS["Command line and files"],
  ...SECTIONS["Login and cluster"],
  ...SECTIONS["Connections"],
  ...SECTIONS["The machine"],
  ...SECTIONS["The service"],
  ...SECTIONS["DNS settings"],
  ...SECTIONS["Internal"],
} as const satisfies Readonly<Record<string, Refusal>>;

type Table = typeof REFUSALS;

/** The codes whose rows have this field, and with this value. */
type CodeWith<Field extends keyof Refusal, Value = unknown> = {
  [Code in keyof Table]: Table[Code] extends { readonly [F in Field]: Value } ? Code : never;
}[keyof Table];

/** Every code. */
export type RefusalCode = keyof Table;
/** What a connection is refused with. */
export type ConnectionRefusalCode = CodeWith<"answer">;
/** What the cluster's API refuses with. */
export type ApiRefusalCode = CodeWith<"httpStatus">;
/** What an agent is refused an app, or an address of one, with. */
export type OfferRefusalCode = keyof typeof AGENTS | "token-out-of-scope";
/** What `vnet status` warns of. */
export type FindingCode = CodeWith<"finding">;
/** Those of them that come of what the clusters publish. */
export type PlanWarningCode = CodeWith<"finding", "plan">;

/** A code that another process said: of its version there may be some that this one does not know. */
export type Told<Code extends string> = Code | (string & Record<never, never>);
