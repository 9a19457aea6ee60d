/** Pages that fire now, and that a silence of the new policy would keep from people. */
import { type Matcher, matchesAll, printMatcher } from "../matcher.js";
import type { SilencePolicy } from "../monitoring.js";
import type { PolicySet } from "../policy.js";
import type { Held } from "./held.js";

/** A sev1 level that fires now. */
export interface FiringPage {
  /** `AR-05 orchestrator-down`. */
  readonly subject: string;
  /** What matchers are held against: those of the instance, and alertname, rule, level, severity. */
  readonly labels: Readonly<Record<string, string>>;
}

/** A silence that was in force as it is has been judged when it came. */
export function findSilenceHarm(
  before: PolicySet,
  after: PolicySet,
  firing: readonly FiringPage[],
  now: Date,
): Held[] {
  const known = new Set(holding(before, now).map(whatItHides));
  const news = holding(after, now).filter((silence) => !known.has(whatItHides(silence)));
  return firing.flatMap(({ subject, labels }): Held[] => {
    const silence = news.find(({ matchers }) => matchesAll(matchers, labels));
    if (!silence) return [];
    const sentence = `${subject} fires now, and the silence ${silence.name} would hide it until ${silence.ends}`;
    return [{ reason: "sev1-silenced", subject, sentence }];
  });
}

/** Those that hold pages back at this moment. */
function holding({ silences }: PolicySet, now: Date): SilencePolicy[] {
  return silences.filter(
    ({ starts, ends, silencesPages }) =>
      silencesPages && Date.parse(starts) <= now.getTime() && now.getTime() < Date.parse(ends),
  );
}

function whatItHides({ matchers }: { readonly matchers: readonly Matcher[] }): string {
  return matchers.map(printMatcher).sort().join(", ");
}
