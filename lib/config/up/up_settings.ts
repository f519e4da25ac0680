/**
 * What `vnet up` was told: one schema for the command line, the processes it starts, the service's unit and what
 * `vnet restart` keeps.
 *
 * @module
 */
import { z } from "zod";
import { DNS_MODES, type DnsMode } from "../../dns/mod.ts";
import { UsageError } from "../../error.ts";
import { formatPrefix, type Prefix } from "../../ip/mod.ts";
import { formatShare, parseShare, type Share } from "./share.ts";
import {
  CONTAINER_POLICIES,
  type ContainerPolicy,
  UP_CHOICES,
  UP_FLAGS,
  type UpOptions,
} from "./up_flags.ts";
import { RANGE_SIZES, readVirtualRange } from "./virtual_range.ts";

export interface UpSettings {
  /** Replaces the clusters' ranges; `null` leaves them. */
  readonly cidr: Prefix | null;
  readonly dns: DnsMode;
  /** Name of the device; `null` for the first that is free. */
  readonly link: string | null;
  /** Who may connect beside the owner; names are looked up at each start. */
  readonly share: readonly Share[];
  readonly containers: ContainerPolicy;
}

/** The settings that somebody asked for; what is absent may be anything. */
export type UpWishes = Partial<UpSettings>;

/** What holds where nobody said otherwise. */
export const DEFAULT_UP_SETTINGS: UpSettings = {
  cidr: null,
  link: null,
  share: [],
  ...UP_CHOICES,
};

const range = z.codec(z.string(), z.custom<Prefix>(), {
  decode: (text, context) => {
    const verdict = readVirtualRange(text);
    if (verdict.kind === "range") return verdict.range;
    context.issues.push({ code: "custom", message: verdict.why, input: text });
    return z.NEVER;
  },
  encode: formatPrefix,
});

const share = z.codec(z.string(), z.custom<Share>(), {
  decode: (text, context) => {
    const share = parseShare(text);
    if (share !== null) return share;
    const message = "it is not user:NAME, group:NAME or all";
    context.issues.push({ code: "custom", message, input: text });
    return z.NEVER;
  },
  encode: formatShare,
});

/** As JSON, and as values. */
export const UpSettingsSchema = z.object({
  cidr: range.nullable(),
  dns: z.enum(DNS_MODES, { error: `a mode is one of ${DNS_MODES.join(", ")}` }),
  link: z.string().regex(/^vnet[0-9]{1,3}$/, "use vnet0 to vnet999").nullable(),
  share: z.array(share),
  containers: z.enum(CONTAINER_POLICIES, {
    error: `a policy is one of ${CONTAINER_POLICIES.join(", ")}`,
  }),
}) satisfies z.ZodType<UpSettings>;

/** The settings as JSON. */
export type UpSettingsJson = z.input<typeof UpSettingsSchema>;

/** What a setting that is refused is told with: the act, and what to do. */
const ADVICE: Readonly<Record<keyof UpSettings, readonly [act: string, hint: string]>> = {
  cidr: [
    "Cannot take addresses from",
    `Use a private IPv4 range ${RANGE_SIZES}, for example 100.96.0.0/12`,
  ],
  dns: ["Cannot set DNS up by", "`vnet help up` says what the modes are"],
  link: ["Cannot name the device", "Use a name such as vnet7, or leave --link out"],
  share: ["Cannot share with", "`--share user:bob` lets one user in, `--share all` everybody"],
  containers: ["Cannot treat containers by", "`--containers allow` lets them connect"],
};

/**
 * Reads options of a command line.
 *
 * @throws UsageError with the first that cannot be used, and why.
 */
export function parseUpOptions(options: UpOptions): UpWishes {
  const given = Object.fromEntries(
    KEYS.map((key) => [key, options[key]]).filter(([, value]) =>
      value !== undefined && !(Array.isArray(value) && value.length === 0)
    ),
  );
  const parsed = UpSettingsSchema.partial().safeParse(given);
  if (parsed.success) return parsed.data as UpWishes; // No key is there without a value.
  const { path: [key, index], message } = parsed.error.issues[0] as unknown as Refused;
  const value = options[key] ?? "";
  const found = typeof value === "string" ? value : value[Number(index)];
  const [act, hint] = ADVICE[key];
  throw new UsageError("usage", `${act} "${found}": ${message}`, { hint });
}

/** A setting that is refused, and for a list which entry. */
interface Refused {
  readonly path: readonly [key: keyof UpSettings, index?: number];
  readonly message: string;
}

/** Reads settings that a daemon told or left. @returns `null` for what it is not. */
export function parseUpSettings(value: unknown): UpSettings | null {
  const parsed = UpSettingsSchema.safeParse(value);
  return parsed.success ? parsed.data : null;
}

export function renderUpSettings(settings: UpSettings): UpSettingsJson {
  return z.encode(UpSettingsSchema, { ...settings, share: [...settings.share] });
}

/** Writes wishes as arguments that {@link parseUpOptions} reads the same from. */
export function upArgs(wishes: UpWishes): readonly string[] {
  return KEYS.flatMap((key) => textsOf(wishes, key).flatMap((text) => [UP_FLAGS[key], text]));
}

/** Writes settings as arguments; what holds anyway is left out. */
export function upSettingsArgs(settings: UpSettings): readonly string[] {
  return upArgs(otherWishes(settings, DEFAULT_UP_SETTINGS));
}

/** Picks the wishes that settings do not fulfil. */
export function otherWishes(wishes: UpWishes, settings: UpSettings): UpWishes {
  const others = KEYS.filter((key) => key in wishes && !equalSetting(key, wishes, settings));
  return Object.fromEntries(others.map((key) => [key, wishes[key]]));
}

export function equalUpSettings(a: UpSettings, b: UpSettings): boolean {
  return KEYS.every((key) => equalSetting(key, a, b));
}

/** Says how the settings that wishes are about are: `with --dns direct, without --share`. */
export function describeUpSettings(settings: UpSettings, wishes: UpWishes): string {
  const about = KEYS.filter((key) => key in wishes);
  const [set, unset] = [true, false].map((isSet) =>
    about.filter((key) => textsOf(settings, key).length > 0 === isSet)
  );
  const picked = Object.fromEntries((set ?? []).map((key) => [key, settings[key]]));
  return [
    ...(set?.length ? [`with ${upArgs(picked).join(" ")}`] : []),
    ...(unset?.length ? [`without ${unset.map((key) => UP_FLAGS[key]).join(" and ")}`] : []),
  ].join(", ");
}

const KEYS = Object.keys(UP_FLAGS) as readonly (keyof UpSettings)[];

/** The values of an option, none where it is not given. */
function textsOf(wishes: UpWishes, key: keyof UpSettings): readonly string[] {
  if (key === "share") return wishes.share?.map(formatShare) ?? [];
  if (key === "cidr") return wishes.cidr ? [formatPrefix(wishes.cidr)] : [];
  const value = wishes[key];
  return value == null ? [] : [value];
}

/** Whom to share with is a set. */
function equalSetting(key: keyof UpSettings, a: UpWishes, b: UpWishes): boolean {
  const [one, other] = [a, b].map((wishes) => [...new Set(textsOf(wishes, key))].sort().join(" "));
  return one === other;
}
