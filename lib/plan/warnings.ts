/**
 * What a person is told of zones and names that clusters ask for and do not get. Whoever takes is named first.
 *
 * @module
 */
import { MAX_ZONES } from "../config/mod.ts";
import { isBelow } from "../dns/mod.ts";
import type { PlanWarningCode } from "../refusal/mod.ts";
import type { Matched, NameClaim, RefusedName } from "./match.ts";
import { describeCluster, type ZoneStanding } from "./zones.ts";

/** Something in the clusters' answers that cannot be honoured. */
export interface PlanWarning {
  readonly code: PlanWarningCode;
  readonly message: string;
  readonly hint?: string;
}

/** How many warnings of a code are worth a person's time; a cluster must not fill the status. */
export const MAX_WARNINGS = 100;

const NAMED_ZONES = 3;

/** The first of each code, and how many there are more. */
export function boundWarnings(warnings: readonly PlanWarning[]): readonly PlanWarning[] {
  const counts = new Map<PlanWarning["code"], number>();
  const kept = warnings.filter(({ code }) => {
    const count = (counts.get(code) ?? 0) + 1;
    counts.set(code, count);
    return count <= MAX_WARNINGS;
  });
  const more = [...counts].filter(([, count]) => count > MAX_WARNINGS).map(([code, count]) => ({
    code,
    message: `And ${count - MAX_WARNINGS} more like it`,
  }));
  return [...kept, ...more];
}

/**
 * What there is to say of the zones. That the user said no, they know; and what a cluster calls its proxies matters
 * once an app has a name there.
 */
export function zoneWarnings(
  standings: readonly ZoneStanding[],
  claims: readonly NameClaim[],
): readonly PlanWarning[] {
  const told = new Set<string>();
  const warnings = standings.flatMap((standing) => {
    const { isProxy, refusal, suffix, profile, cluster } = standing;
    const isUnused = isProxy && refusal !== "everybodys" &&
      !claims.some((claim) =>
        claim.profile === profile && claim.cluster === cluster && isBelow(claim.name, suffix)
      );
    const warning = isUnused ? null : zoneWarning(standing);
    if (warning === null || told.has(warning.message)) return [];
    told.add(warning.message);
    return [warning];
  });
  const left = Map.groupBy(
    standings.filter(({ state }) => state === "left-out"),
    ({ cluster }) => cluster,
  );
  const byName = [...left].sort(([a], [b]) => a < b ? -1 : 1);
  return [
    ...warnings,
    ...byName.map(([cluster, zones]) =>
      tooManyZones(cluster, [...new Set(zones.map(({ suffix }) => suffix))])
    ),
  ];
}

function zoneWarning(standing: ZoneStanding): PlanWarning | null {
  const { suffix, cluster, profile, state, why, refusal } = standing;
  const who = `Cluster ${describeCluster(standing)}`;
  const name = cluster === profile ? cluster : profile;
  switch (state) {
    case "pending":
      return {
        code: "zone-pending",
        message: `${who} asks for the names below "${suffix}" and does not get them yet: ${why}`,
        hint:
          `If they are the cluster's, run \`vnet zones allow ${suffix} --cluster ${name}\`; if not, \`vnet zones deny ${suffix}\``,
      };
    case "conflict":
      return {
        code: "zone-conflict",
        message: `${who} does not get the names below "${suffix}": ${why}`,
        hint:
          `Say whose they are: \`vnet zones allow ${suffix} --cluster NAME\`; \`vnet zones ls\` shows who asks`,
      };
    case "refused":
      switch (refusal) {
        case "no-name":
          return {
            code: "zone-refused",
            message: `Cluster "${cluster}" claims "${suffix}", which is no domain name`,
          };
        case "everybodys":
          return {
            code: "zone-refused",
            message: `Zone "${suffix}" is not claimed: it belongs to everybody`,
          };
        case "foreign":
          return {
            code: "zone-foreign",
            message: `${who} asks for the names below "${suffix}" and does not get them: ${why}`,
          };
        case "outvoted":
        case null:
          return null;
      }
      break;
    case "served":
    case "denied":
    case "left-out":
      return null;
    default:
      return state satisfies never;
  }
}

function tooManyZones(cluster: string, zones: readonly string[]): PlanWarning {
  const named = zones.slice(0, NAMED_ZONES).map((zone) => `"${zone}"`).join(", ");
  const rest = zones.length - NAMED_ZONES;
  return {
    code: "zone-limit",
    message: `Cluster "${cluster}" claims more zones than fit: ${named}${
      rest > 0 ? ` and ${rest} more are` : zones.length === 1 ? " is" : " are"
    } left out, as this machine takes ${MAX_ZONES}`,
  };
}

/** What there is to say of one name; `null` where the zone's own warning says it, or the user did. */
export function nameWarning(
  refused: RefusedName,
  standings: readonly ZoneStanding[],
  taken: Matched["taken"],
): PlanWarning | null {
  const { claim, why } = refused;
  // By two logins to one cluster an app is seen twice, and has its name by one of them.
  const owner = taken.get(claim.name)?.claim;
  if (owner?.appId === claim.appId && owner.cluster === claim.cluster) return null;
  const reason = describeRefusal(refused, standings);
  const message = `The name "${claim.name}" of ${describeApp(claim)} is not used: ${reason}`;
  switch (why) {
    case "proxy":
    case "twice":
      return { code: "name-taken", message };
    case "foreign":
      return isZoneTold(claim, standings) ? null : { code: "name-foreign", message };
    case "outside":
      return zoneAskedFor(claim, standings) === null
        ? { code: "name-outside-zones", message }
        : null;
    case "denied":
      return null;
    default:
      return why satisfies never;
  }
}

/** Why an app does not have a name, as a phrase. */
export function describeRefusal(
  { claim, why, holder }: RefusedName,
  standings: readonly ZoneStanding[],
): string {
  const whose = holder === null ? "nobody" : `cluster ${describeCluster(holder)}`;
  switch (why) {
    case "proxy":
      return "it is the name of a cluster's proxy";
    case "foreign":
      return `it belongs to ${whose}`;
    case "outside": {
      const asked = zoneAskedFor(claim, standings);
      return asked === null
        ? "it lies in none of the clusters' zones"
        : `cluster ${describeCluster(claim)} has no right to "${asked.suffix}": ${asked.why}`;
    }
    case "denied":
      return "you denied it";
    case "twice":
      return `app "${holder?.app}" of ${whose} claims it, too, and neither has it`;
    default:
      return why satisfies never;
  }
}

/** The zone without a grant that a claim counts on. */
function zoneAskedFor(
  { name, profile, cluster }: NameClaim,
  standings: readonly ZoneStanding[],
): ZoneStanding | null {
  return standings.find((standing) =>
    standing.state !== "served" && standing.refusal !== "everybodys" &&
    standing.profile === profile &&
    standing.cluster === cluster && isBelow(name, standing.suffix)
  ) ?? null;
}

/** Of a zone that the taker asks for there is one warning, and none for each name in it. */
function isZoneTold(claim: NameClaim, standings: readonly ZoneStanding[]): boolean {
  return zoneAskedFor(claim, standings) !== null;
}

function describeApp({ app, cluster }: NameClaim): string {
  return `app "${app}" of cluster "${cluster}"`;
}
