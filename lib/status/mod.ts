/**
 * The public JSON: one file per document and version, each with the schema that produced it. Nothing else in the
 * program turns camelCase into snake_case.
 *
 * @module
 */
import { z } from "zod";
import { AppsV1Schema } from "./apps_v1.ts";
import {
  CtlAgentsV1Schema,
  CtlAppsV1Schema,
  CtlAuditV1Schema,
  CtlResourcesV1Schema,
  CtlSessionsV1Schema,
  CtlStatusV1Schema,
  CtlTokensV1Schema,
  CtlTokenV1Schema,
  CtlUsersV1Schema,
} from "./ctl_v1.ts";
import { ClustersV1Schema } from "./clusters_v1.ts";
import { ConnectV1Schema, ProxyV1Schema } from "./connect_v1.ts";
import { ConnectionsV1Schema } from "./connections_v1.ts";
import { DemoV1Schema } from "./demo_v1.ts";
import { DoctorV1Schema } from "./doctor_v1.ts";
import { MfaV1Schema } from "./mfa_v1.ts";
import { ResolveV1Schema } from "./resolve_v1.ts";
import { ServiceV1Schema } from "./service_v1.ts";
import { StatusV1Schema } from "./status_v1.ts";
import { VersionV1Schema } from "./version_v1.ts";
import { ZonesV1Schema } from "./zones_v1.ts";

export * from "./apps_v1.ts";
export * from "./ctl_v1.ts";
export * from "./clusters_v1.ts";
export * from "./connect_v1.ts";
export * from "./connections_v1.ts";
export * from "./demo_v1.ts";
export * from "./doctor_v1.ts";
export * from "./mfa_v1.ts";
export * from "./resolve_v1.ts";
export * from "./service_v1.ts";
export * from "./status_v1.ts";
export * from "./version_v1.ts";
export * from "./zones_v1.ts";

/** Every public document by its short name, as `vnet schema NAME` knows it. */
export const DOCUMENTS = {
  apps: AppsV1Schema,
  clusters: ClustersV1Schema,
  "ctl-agents": CtlAgentsV1Schema,
  "ctl-apps": CtlAppsV1Schema,
  "ctl-audit": CtlAuditV1Schema,
  "ctl-resources": CtlResourcesV1Schema,
  "ctl-sessions": CtlSessionsV1Schema,
  "ctl-status": CtlStatusV1Schema,
  "ctl-token": CtlTokenV1Schema,
  "ctl-tokens": CtlTokensV1Schema,
  "ctl-users": CtlUsersV1Schema,
  connect: ConnectV1Schema,
  connections: ConnectionsV1Schema,
  demo: DemoV1Schema,
  doctor: DoctorV1Schema,
  mfa: MfaV1Schema,
  proxy: ProxyV1Schema,
  resolve: ResolveV1Schema,
  service: ServiceV1Schema,
  status: StatusV1Schema,
  version: VersionV1Schema,
  zones: ZonesV1Schema,
} as const;

/**
 * The JSON Schema (2020-12) of one public document, or `null` if there is none of that name.
 *
 * @example
 * ```ts
 * import { equal, notEqual } from "node:assert/strict";
 * import { jsonSchemaOf } from "./mod.ts";
 *
 * notEqual(jsonSchemaOf("status"), null);
 * equal(jsonSchemaOf("weather"), null);
 * ```
 */
export function jsonSchemaOf(name: string): unknown {
  const schema = Object.hasOwn(DOCUMENTS, name) ? DOCUMENTS[name as keyof typeof DOCUMENTS] : null;
  return schema === null ? null : z.toJSONSchema(schema, { target: "draft-2020-12" });
}
