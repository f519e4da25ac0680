/**
 * The files of `vnet server` and `vnet agent`: parsed whole, every mistake said.
 *
 * @module
 */
import { z } from "zod";
import { ConfigError } from "../error.ts";
import type { Endpoint, HostPort, Prefix } from "../ip/mod.ts";
import { type AppConfig, AppServiceSchema } from "./app_service.ts";
import { type AuditConfig, AuditSchema } from "./audit_sinks.ts";
import {
  absolutePath,
  caPin,
  clusterName,
  labelName,
  listenAddress,
  loopbackAddress,
  oneOrMore,
  publicAddress,
  trustedPrefix,
} from "./fields.ts";
import { checkValue, strict } from "./mistakes.ts";
import { type StoreConfig, StoreSchema } from "./store.ts";
import { parseYaml } from "./yaml.ts";

/** Whether logins need a second factor: never, of users who have one, of everybody. */
export type SecondFactor = "off" | "optional" | "otp";

export interface LogConfig {
  readonly level: "trace" | "debug" | "info" | "warning" | "error";
  readonly format: "text" | "json";
}

/** One process that is auth, proxy and, if it has apps, agent. */
export interface ServerConfig {
  readonly clusterName: string;
  readonly dataDir: string;
  readonly store: StoreConfig;
  readonly log: LogConfig;
  readonly auth: { readonly secondFactor: SecondFactor };
  readonly proxy: {
    readonly publicAddrs: readonly HostPort[];
    readonly listen: Endpoint;
    /** Certificates for the web name; none means the cluster's own host CA issues one. */
    readonly httpsKeypairs: readonly { readonly keyFile: string; readonly certFile: string }[];
    /** Load balancers, which say by the PROXY protocol whose connection it is. */
    readonly trustedProxies: readonly Prefix[];
  };
  /** Where audit events go beside the server's own file and store. */
  readonly audit: AuditConfig;
  /** Where it says how it is doing; `null`: nowhere. */
  readonly diag: Endpoint | null;
  /** Apps this process serves itself. */
  readonly apps: readonly AppConfig[];
}

/** An agent of a cluster elsewhere. */
export interface AgentConfig {
  readonly name: string;
  readonly dataDir: string;
  readonly log: LogConfig;
  readonly proxy: HostPort;
  /** Empty: the proxy's certificate is held against the public authorities. */
  readonly caPins: readonly string[];
  /** Authorities to trust beside the public ones and the machine's; `null` for none. */
  readonly caFile: string | null;
  /** `null` once joined is not needed; the file holds the token on its first line. */
  readonly tokenFile: string | null;
  /** Where it says how it is doing; `null`: nowhere. */
  readonly diag: Endpoint | null;
  readonly apps: readonly AppConfig[];
}

const version = z.literal("v1");

const LogSchema = strict({
  level: z.enum(["trace", "debug", "info", "warning", "error"]).default("info"),
  format: z.enum(["text", "json"]).default("text"),
});

const SshServiceSchema = strict({
  enabled: z.literal(false, { error: "false: this version serves no SSH hosts" }),
});

const ServerFileSchema = strict({
  version,
  cluster_name: clusterName,
  data_dir: absolutePath,
  store: StoreSchema.default({ postgres: null }),
  log: LogSchema.default({ level: "info", format: "text" }),
  auth_service: strict({
    second_factor: z.enum(["off", "optional", "otp"]).default("optional"),
  }).default({ second_factor: "optional" }),
  proxy_service: strict({
    public_addr: oneOrMore(publicAddress, "host or host:port, or a list of them"),
    listen_addr: listenAddress,
    https_keypairs: z.array(strict({ key_file: absolutePath, cert_file: absolutePath })).max(16)
      .default([]),
    trusted_proxies: z.array(trustedPrefix).max(64).default([]),
  }),
  diag_addr: loopbackAddress.optional(),
  audit: AuditSchema.default({ syslog: [], webhooks: [] }),
  app_service: AppServiceSchema.default({ apps: [] }),
  ssh_service: SshServiceSchema.optional(),
});

const AgentFileSchema = strict({
  version,
  name: labelName,
  data_dir: absolutePath,
  log: LogSchema.default({ level: "info", format: "text" }),
  proxy_server: publicAddress,
  ca_pin: oneOrMore(caPin, "sha256: and 64 hex digits, or a list of them").optional(),
  ca_file: absolutePath.optional(),
  join: strict({ token_file: absolutePath }).optional(),
  diag_addr: loopbackAddress.optional(),
  app_service: AppServiceSchema,
  ssh_service: SshServiceSchema.optional(),
});

/**
 * Reads the file of `vnet server`.
 *
 * @throws {ConfigError} With every mistake in it.
 */
export function parseServerFile(text: string, file: string): ServerConfig {
  const parsed = parseOne(ServerFileSchema, text, file);
  const { proxy_service: proxy } = parsed;
  return {
    clusterName: parsed.cluster_name,
    dataDir: parsed.data_dir,
    store: parsed.store,
    log: parsed.log,
    auth: { secondFactor: parsed.auth_service.second_factor },
    proxy: {
      publicAddrs: proxy.public_addr,
      listen: proxy.listen_addr,
      httpsKeypairs: proxy.https_keypairs.map(({ key_file, cert_file }) => ({
        keyFile: key_file,
        certFile: cert_file,
      })),
      trustedProxies: proxy.trusted_proxies,
    },
    audit: parsed.audit,
    diag: parsed.diag_addr ?? null,
    apps: parsed.app_service.apps,
  };
}

/**
 * Reads the file of `vnet agent`.
 *
 * @throws {ConfigError} With every mistake in it.
 */
export function parseAgentFile(text: string, file: string): AgentConfig {
  const parsed = parseOne(AgentFileSchema, text, file);
  return {
    name: parsed.name,
    dataDir: parsed.data_dir,
    log: parsed.log,
    proxy: parsed.proxy_server,
    caPins: parsed.ca_pin ?? [],
    caFile: parsed.ca_file ?? null,
    tokenFile: parsed.join?.token_file ?? null,
    diag: parsed.diag_addr ?? null,
    apps: parsed.app_service.apps,
  };
}

/** Reads a file that is one document. @throws {ConfigError} With every mistake in it. */
export function parseOne<T>(schema: z.ZodType<T>, text: string, file: string): T {
  const documents = parseYaml(text, file);
  const [document] = documents;
  if (document === undefined || documents.length > 1) {
    const found = documents.length === 0 ? "nothing" : `${documents.length} documents`;
    throw new ConfigError(file, [{ path: "", found, expected: "one YAML document" }]);
  }
  const checked = checkValue(schema, document.value, document.lineOf);
  if (checked.kind === "bad") throw new ConfigError(file, checked.mistakes);
  return checked.value;
}
