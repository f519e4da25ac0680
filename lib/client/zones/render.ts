import type { ZoneStanding, ZoneWord } from "../../plan/mod.ts";
import type { StatusV1, ZonesV1 } from "../../status/mod.ts";
import type { Finding } from "../daemon/findings.ts";

/** Puts standings into their public form, sorted by zone, cluster and login. */
export function renderStandings(
  standings: readonly ZoneStanding[],
): NonNullable<StatusV1["zones"]> {
  const rows = standings.map((standing) => {
    const { suffix, cluster, profile, state, by, why, sinceMs, isPrivate, isProxy } = standing;
    return {
      suffix,
      cluster,
      proxy: profile,
      kind: isProxy ? "proxy" as const : "custom" as const,
      state,
      ...(by === null ? {} : { grant: by }),
      why,
      ...(sinceMs === null ? {} : { since: new Date(sinceMs).toISOString() }),
      private: isPrivate,
    };
  });
  const key = (row: typeof rows[number]) => JSON.stringify([row.suffix, row.cluster, row.proxy]);
  return rows.sort((a, b) => key(a) < key(b) ? -1 : 1);
}

/** Fills `vnet.zones/1`. */
export function renderZones(
  { standings, words, findings, source }: {
    readonly standings: readonly ZoneStanding[];
    readonly words: readonly ZoneWord[];
    readonly findings: readonly Finding[];
    readonly source: ZonesV1["source"];
  },
): ZonesV1 {
  const decisions = words.map(({ suffix, verdict, cluster, profile, sinceMs }) => ({
    suffix,
    verdict,
    ...(cluster === null ? {} : { cluster }),
    ...(profile === null ? {} : { proxy: profile }),
    since: new Date(sinceMs).toISOString(),
  }));
  return {
    schema: "vnet.zones/1",
    zones: renderStandings(standings),
    decisions: decisions.sort((a, b) => a.suffix < b.suffix ? -1 : 1),
    findings: findings.map((finding) => ({ ...finding })),
    source,
  };
}
