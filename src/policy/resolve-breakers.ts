/** What healing.yaml says of breakers: our defaults, then those of all dependencies, then those of one. */
import { BREAKER_DEFAULTS, type BreakerRules } from "../base/breaker.js";
import { DEPENDENCY_KINDS, type DependencyKind } from "./policy.js";
import { toMsOr } from "./resolve-duration.js";
import type { RawSection } from "./schema.js";

type RawBreakers = NonNullable<RawSection<"healing">["breakers"]>;
type RawRules = Omit<RawBreakers, "dependencies">;

export function resolveBreakers(raw: RawBreakers = {}): Record<DependencyKind, BreakerRules> {
  const { dependencies = {}, ...common } = raw;
  const rules = over(BREAKER_DEFAULTS, common);
  const entries = DEPENDENCY_KINDS.map((kind) => [kind, over(rules, dependencies[kind] ?? {})]);
  return Object.fromEntries(entries) as Record<DependencyKind, BreakerRules>;
}

function over(rules: BreakerRules, raw: RawRules): BreakerRules {
  const { window, p95Max, open, gateMax, ...numbers } = raw;
  return {
    windowMs: toMsOr(window, rules.windowMs),
    p95MaxMs: toMsOr(p95Max, rules.p95MaxMs),
    openMs: toMsOr(open, rules.openMs),
    gateMaxMs: toMsOr(gateMax, rules.gateMaxMs),
    callsMin: numbers.callsMin ?? rules.callsMin,
    successRateMin: numbers.successRateMin ?? rules.successRateMin,
    probes: numbers.probes ?? rules.probes,
    closeAfter: numbers.closeAfter ?? rules.closeAfter,
  };
}
