/**
 * What people write: files, resources, durations, proxy variables. Pure: text in, values or every mistake out.
 *
 * @module
 */
export {
  allowsZone,
  DEFAULT_HELPER_POLICY,
  type HelperPolicy,
  MAX_ALLOWED_RANGES,
  parseHelperPolicy,
} from "./helper_policy.ts";
export { type ClientGrant, parseClientFile } from "./client_file.ts";
export { formatShare, parseShare, type Share } from "./up/share.ts";
export {
  CONTAINER_POLICIES,
  type ContainerPolicy,
  UP_CHOICES,
  UP_FLAGS,
  type UpOptions,
} from "./up/up_flags.ts";
export {
  DEFAULT_UP_SETTINGS,
  describeUpSettings,
  equalUpSettings,
  otherWishes,
  parseUpOptions,
  parseUpSettings,
  renderUpSettings,
  upArgs,
  type UpSettings,
  upSettingsArgs,
  type UpSettingsJson,
  UpSettingsSchema,
  type UpWishes,
} from "./up/up_settings.ts";
export {
  hasRangeSize,
  RANGE_LENGTHS,
  RANGE_SIZES,
  type RangeVerdict,
  readVirtualRange,
} from "./up/virtual_range.ts";
export { ADDR_PATTERN_WORDS, matchesAddrPattern, parseAddrPattern } from "./addr_pattern.ts";
export { type AppConfig, MAX_AGENT_APPS } from "./app_service.ts";
export {
  type AuditConfig,
  type SyslogAddress,
  type WebhookConfig,
  webhookPlace,
} from "./audit_sinks.ts";
export { type PostgresConfig, type StoreConfig } from "./store.ts";
export { formatDuration, parseDuration } from "./duration.ts";
export { fitsLabels } from "./fields.ts";
export { formatHostPort, type HostPort, parseHost, parseHostPort } from "../ip/mod.ts";
export { type Checked, checkValue } from "./mistakes.ts";
export { compilePorts, portAllowed, type PortRange } from "./port.ts";
export {
  checkResource,
  DEFAULT_VNET_CONFIG,
  type LockResource,
  LockResourceSchema,
  type LockTarget,
  LockTargetSchema,
  type OidcResource,
  parseResources,
  type PublicAddrResource,
  readResources,
  type RemoteClusterResource,
  type Resource,
  RESOURCE_KINDS,
  type ResourceDocument,
  type ResourceKind,
  RoleMapSchema,
  type RoleResource,
  RoleResourceSchema,
  type TrustedClusterResource,
  type UserResource,
  UserResourceSchema,
  type VnetConfigResource,
  VnetConfigResourceSchema,
} from "./resource.ts";
export {
  compileRole,
  isFilled,
  type LabelSelector,
  type PersonalRole,
  personalRole,
  type Role,
  type RoleSpec,
  RoleSpecSchema,
  stepsOf,
} from "./role/role.ts";
export {
  type FilledPattern,
  fitsPattern,
  parseLabelPattern,
  type Person,
} from "./role/label_pattern.ts";
export { type OidcSpec } from "./sign_in/oidc.ts";
export {
  type AgentConfig,
  type LogConfig,
  parseAgentFile,
  parseServerFile,
  type SecondFactor,
  type ServerConfig,
} from "./service_file.ts";
export { isEverybodys, isPublicSuffix, MAX_ZONES } from "./zone.ts";
export {
  describeProxy,
  formatHttpProxy,
  type HttpProxy,
  NO_PROXY_VARIABLES,
  parseHttpProxy,
  type ProxyDecision,
  proxyFor,
  type ProxyReason,
  type ProxyVariable,
  type ProxyVariables,
  readProxyVariables,
} from "./proxy/http_proxy.ts";
