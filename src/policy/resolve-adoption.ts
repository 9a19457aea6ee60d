/** Flags, lifetimes and the limits of adoption: sections that may be missing, and what holds then. */
import { ADOPTION_DEFAULTS, CACHE_DEFAULTS } from "./defaults.js";
import type { AdoptionLimits, CacheLifetimes, Flag } from "./policy.js";
import { toMsOr } from "./resolve-duration.js";
import type { RawSection } from "./schema.js";

export function resolveFlags(raw: RawSection<"flags"> = {}): Record<string, Flag> {
  return Object.fromEntries(Object.entries(raw).map(([name, flag]) => [name, { name, ...flag }]));
}

export function resolveCache(raw: RawSection<"cache"> = {}): CacheLifetimes {
  const defaultMs = toMsOr(raw.default, CACHE_DEFAULTS.defaultMs);
  return {
    defaultMs,
    repoMetadataMs: toMsOr(raw["repo-metadata"], defaultMs),
    repoScoreMs: toMsOr(raw["repo-score"], CACHE_DEFAULTS.repoScoreMs),
  };
}

export function resolveAdoption(raw: RawSection<"adoption"> = {}): AdoptionLimits {
  const { canary, probation, ...numbers } = raw;
  return {
    newPagesMax: numbers.newPagesMax ?? ADOPTION_DEFAULTS.newPagesMax,
    canaryMs: toMsOr(canary, ADOPTION_DEFAULTS.canaryMs),
    probationMs: toMsOr(probation, ADOPTION_DEFAULTS.probationMs),
    stormPages: numbers.stormPages ?? ADOPTION_DEFAULTS.stormPages,
    retentionMargin: numbers.retentionMargin ?? ADOPTION_DEFAULTS.retentionMargin,
  };
}
