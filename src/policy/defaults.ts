/** What holds where routes.yaml, cache.yaml and adoption.yaml say nothing. */
import { HOUR_MS, MINUTE_MS } from "../base/duration.js";
import type { AdoptionLimits, CacheLifetimes, Response, Severity } from "./policy.js";

/** */
export const RESPONSE_DEFAULTS: Readonly<Record<Severity, Response>> = {
  sev1: { by: "time", withinMs: 15 * MINUTE_MS },
  sev2: { by: "time", withinMs: HOUR_MS },
  sev3: { by: "time", withinMs: 4 * HOUR_MS },
  sev4: { by: "nextBusinessDay" },
};

export const CACHE_DEFAULTS: CacheLifetimes = {
  defaultMs: HOUR_MS,
  repoMetadataMs: HOUR_MS,
  repoScoreMs: 5 * MINUTE_MS,
};

export const ADOPTION_DEFAULTS: AdoptionLimits = {
  newPagesMax: 3,
  canaryMs: 3_000,
  probationMs: 5 * MINUTE_MS,
  stormPages: 10,
  retentionMargin: 0.1,
};
