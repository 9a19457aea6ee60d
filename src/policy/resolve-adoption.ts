/** Flags, lifetimes and the limits of adoption: sections that may be missing, and what holds then. */
import { assert } from "../base/assert.js";
import { parseDuration } from "../base/duration.js";
import { ADOPTION_DEFAULTS, CACHE_DEFAULTS } from "./defaults.js";
import type { AdoptionLimits, CacheLifetimes, Flag } from "./policy.js";
import type { RawSection } from "./schema.js";

export function resolveFlags(raw: RawSection<"flags"> = {}): Record<string, Flag> {
  return Object.fromEntries(Object.entries(raw).map(([name, flag]) => [name, { name, ...flag }]));
}

export function resolveCache(raw: RawSection<"cache"> = {}): CacheLifetimes {
  const defaultMs = toMs(raw.default, CACHE_DEFAULTS.defaultMs);
  return {
    defaultMs,
    repoMetadataMs: toMs(raw["repo-metadata"], defaultMs),
    repoScoreMs: toMs(raw["repo-score"], CACHE_DEFAULTS.repoScoreMs),
  };
}

export function resolveAdoption(raw: RawSection<"adoption"> = {}): AdoptionLimits {
  const { canary, probation, ...numbers } = raw;
  return {
    newPagesMax: numbers.newPagesMax ?? ADOPTION_DEFAULTS.newPagesMax,
    canaryMs: toMs(canary, ADOPTION_DEFAULTS.canaryMs),
    probationMs: toMs(probation, ADOPTION_DEFAULTS.probationMs),
    stormPages: numbers.stormPages ?? ADOPTION_DEFAULTS.stormPages,
    retentionMargin: numbers.retentionMargin ?? ADOPTION_DEFAULTS.retentionMargin,
  };
}

function toMs(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const ms = parseDuration(text);
  assert(ms !== null, `"${text}" passed the checks and is no duration`);
  return ms;
}
