/**
 * From what a person types about a zone to a decision about one cluster, or about all of them.
 *
 * @module
 */
import { z } from "zod";
import { isEverybodys } from "../../config/mod.ts";
import { type DomainName, isBelow } from "../../dns/mod.ts";
import { UsageError } from "../../error.ts";
import { tryParseName, withWord, type ZoneStanding, type ZoneWord } from "../../plan/mod.ts";

/** What was typed, and what the control API takes. */
export const ZoneRequestSchema = z.object({
  suffix: z.string().max(1_024),
  /** A cluster's name, or a login's; `null` if none was named. */
  cluster: z.string().max(1_024).nullable(),
  verdict: z.enum(["allow", "deny", "later", "forget"]),
});
export type ZoneRequest = Readonly<z.infer<typeof ZoneRequestSchema>>;

/** A login, as far as deciding goes. */
export interface ZoneLogin {
  readonly profile: string;
  readonly proxyHost: string;
  /** Its cluster first, then those behind it. */
  readonly clusters: readonly string[];
}

interface Subject {
  readonly profile: string;
  readonly cluster: string;
}

/** Says what becomes of the decisions. @throws UsageError where it is not clear, or cannot be */
export function decideZone(
  request: ZoneRequest,
  known: { readonly standings: readonly ZoneStanding[]; readonly logins: readonly ZoneLogin[] },
  nowMs: number,
): (words: readonly ZoneWord[]) => readonly ZoneWord[] {
  const { verdict } = request;
  const suffix = readSuffix(request);
  if (verdict === "allow" || verdict === "deny") requireForeign(suffix, verdict, known.logins);
  const subject = subjectOf(request, suffix, known);
  const word = {
    suffix,
    profile: subject?.profile ?? null,
    cluster: subject?.cluster ?? null,
    verdict,
    sinceMs: nowMs,
  };
  return (words) => withWord(words, word);
}

function readSuffix({ suffix, verdict }: ZoneRequest): DomainName {
  const name = tryParseName(suffix);
  if (name === null) {
    throw new UsageError("usage", `Cannot ${verdict} "${suffix}": it is no domain name`, {
      hint: "Name the zone, like company.test; `vnet zones ls` shows which are asked for",
    });
  }
  if (verdict === "allow" && isEverybodys(name)) {
    throw new UsageError("usage", `Cannot allow "${name}": it belongs to everybody`);
  }
  return name;
}

/** What lies below a login's proxy is that login's, and there is nothing to decide. */
function requireForeign(
  suffix: DomainName,
  verdict: "allow" | "deny",
  logins: readonly ZoneLogin[],
): void {
  const owner = logins.find(({ proxyHost }) => {
    const host = tryParseName(proxyHost);
    return host !== null && !isEverybodys(host) && (suffix === host || isBelow(suffix, host));
  });
  if (owner === undefined) return;
  throw new UsageError(
    "usage",
    `Cannot ${verdict} "${suffix}": it belongs to the proxy "${owner.proxyHost}"`,
    { hint: `Its names are that login's alone; \`vnet logout ${owner.profile}\` ends it` },
  );
}

/** @returns `null` for all clusters */
function subjectOf(
  { cluster, verdict }: ZoneRequest,
  suffix: DomainName,
  { standings, logins }: Parameters<typeof decideZone>[1],
): Subject | null {
  const claimants = standings.filter((standing) => standing.suffix === suffix);
  if (cluster !== null) return namedSubject(cluster, claimants, logins);
  if (verdict !== "allow" && verdict !== "later") return null;
  const [first, second] = claimants;
  const [login, other] = logins;
  if (first !== undefined && second === undefined) return first;
  if (first === undefined && login !== undefined && other === undefined) {
    return { profile: login.profile, cluster: login.clusters[0] ?? login.profile };
  }
  const names = first === undefined
    ? logins.map(({ profile }) => profile)
    : claimants.map(({ profile }) => profile);
  if (names.length === 0) {
    throw new UsageError(
      "usage",
      `Cannot allow "${suffix}": you are not logged in to any cluster`,
      {
        hint: "Run `vnet login HOST` first",
      },
    );
  }
  const problem = first === undefined ? "no cluster asks for it" : "several clusters ask for it";
  throw new UsageError("usage", `Cannot allow "${suffix}": ${problem}`, {
    hint: `Say whose it is: ${[...new Set(names)].map((name) => `--cluster ${name}`).join(" or ")}`,
  });
}

function namedSubject(
  wanted: string,
  claimants: readonly ZoneStanding[],
  logins: readonly ZoneLogin[],
): Subject {
  const name = wanted.toLowerCase();
  const login = logins.find(({ profile }) => profile.toLowerCase() === name);
  if (login !== undefined) {
    const own = claimants.find(({ profile }) => profile === login.profile);
    return own ?? { profile: login.profile, cluster: login.clusters[0] ?? login.profile };
  }
  const found = logins.flatMap(({ profile, clusters }) =>
    clusters.filter((cluster) => cluster.toLowerCase() === name)
      .map((cluster): Subject => ({ profile, cluster }))
  );
  const [first, second] = found;
  if (first !== undefined && second === undefined) return first;
  if (first === undefined) {
    const all = [...new Set(logins.flatMap(({ clusters }) => clusters))].sort();
    throw new UsageError("usage", `There is no cluster "${wanted}"`, {
      hint: all.length === 0
        ? "You are not logged in to any cluster; run `vnet login HOST` first"
        : `Your clusters are: ${all.join(", ")}`,
    });
  }
  throw new UsageError("usage", `Several logins are to a cluster that calls itself "${wanted}"`, {
    hint: `Name the proxy: ${found.map(({ profile }) => `--cluster ${profile}`).join(" or ")}`,
  });
}
